/** Describes the packages of an image: the list of all packages (SBOM), and the licences of the npm packages. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { modulesFolder, root, type Target } from '../target.ts';
import type { DebianPackage } from './debian.ts';

/** The parts of a CycloneDX 1.5 document that this file changes. */
interface Bom {
  serialNumber?: string;
  readonly metadata: { timestamp: string; tools?: unknown; readonly component: { name: string } };
  readonly components: readonly object[];
}

/**
 * The npm packages, Node and the Debian packages as CycloneDX. npm adds a random number, the time, its version, and the name of the folder. This
 * function removes or replaces these, so that two builds of one commit are equal. `createdSeconds` is the time of the commit, in seconds since 1970.
 */
export function sbom(target: Target, packages: readonly DebianPackage[], createdSeconds: number): string {
  const bom = npmBom(target);
  delete bom.serialNumber;
  delete bom.metadata.tools;
  bom.metadata.timestamp = new Date(createdSeconds * 1000).toISOString();
  bom.metadata.component.name = 'bellman';
  const version = nodeVersion(target);
  const node = {
    'bom-ref': `node@${version}`,
    type: 'application',
    name: 'node',
    version,
    purl: `pkg:generic/node@${version}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
  };
  const debian = packages.map((each) => {
    const purl = `pkg:deb/debian/${encodeURIComponent(each.name)}@${encodeURIComponent(each.version)}?arch=${target.debian}&distro=debian-12`;
    return { 'bom-ref': purl, type: 'library', name: each.name, version: each.version, purl };
  });
  const complete = { ...bom, components: [...bom.components, node, ...debian] };
  return `${JSON.stringify(complete, null, 2)}\n`;
}

interface LockedPackage {
  readonly version: string;
  readonly dev?: boolean;
  readonly os?: string | readonly string[];
  readonly cpu?: string | readonly string[];
}

interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

function packageLock(): Lock {
  return JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
}

/**
 * npm's list of the packages that a build can contain. npm makes it from a copy of package-lock.json that lacks the packages for development and
 * for other machines. The option `--omit=dev` would also leave out packages that the program shares with a package for development.
 */
function npmBom(target: Target): Bom {
  const folder = mkdtempSync(join(tmpdir(), 'bellman-sbom-'));
  try {
    const { devDependencies: _, ...shipped } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    writeFileSync(join(folder, 'package.json'), JSON.stringify(shipped));
    const lock = packageLock();
    const packages = Object.fromEntries(
      Object.entries(lock.packages).flatMap(([path, each]) => {
        if (path === '') return [[path, shipped]];
        return isShipped(each, target) ? [[path, each]] : [];
      }),
    );
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ ...lock, packages }));
    const args = ['sbom', '--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application'];
    const maxBuffer = 64 * 1024 * 1024;
    return JSON.parse(execFileSync('npm', args, { cwd: folder, encoding: 'utf8', maxBuffer })) as Bom;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function isShipped({ dev, os = 'linux', cpu }: LockedPackage, target: Target): boolean {
  return dev !== true && [os].flat().includes('linux') && [cpu ?? target.arch].flat().includes(target.arch);
}

function nodeVersion(target: Target): string {
  const file = join(modulesFolder(target), `node-linux-${target.arch}/package.json`);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** The texts of the licences of all npm packages, Node's among them. */
export function licences(target: Target): string {
  const folder = dirname(modulesFolder(target));
  const sections = Object.entries(packageLock().packages).flatMap(([path, each]) => {
    if (path === '' || !isShipped(each, target) || !existsSync(join(folder, path))) return [];
    const texts = readdirSync(join(folder, path))
      .filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
      .sort()
      .map((file) => readFileSync(join(folder, path, file), 'utf8').trim());
    const name = path.replace(/^.*node_modules\//, '');
    return texts.length === 0 ? [] : [`==== ${name} ${each.version}\n\n${texts.join('\n\n')}\n`];
  });
  return sections.sort().join('\n');
}
