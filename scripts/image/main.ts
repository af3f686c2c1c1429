/**
 * Builds the image of Bellman without a container engine and without a registry: see docs/guides/install.md.
 *   node scripts/image/main.ts [--arch amd64,arm64] [--name bellman] [--output dist/image] [--compression 9]
 * Writes to the output folder, which it replaces:
 *   oci/                                  the image for all architectures, in the OCI layout
 *   bellman-VERSION-ARCH.tar              for `docker load` and `ctr images import`
 *   bellman-VERSION-ARCH.sbom.cdx.json    the list of all packages; the image contains this list too
 *
 *   node scripts/image/main.ts --root FOLDER
 * Writes only the root directory of the image, for this machine's architecture. Containerfile makes an image from it.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { reasonOf } from '../../src/result.ts';
import { cacheFolder, hostTarget, isHost, root, type Target, targetNamed, tool } from '../target.ts';
import { run } from './debian.ts';
import { prepareModules } from './modules.ts';
import { OciLayout } from './oci.ts';
import { programPaths, sbomFile, writeRoot } from './root.ts';

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: 'amd64,arm64' },
    name: { type: 'string', default: 'bellman' },
    output: { type: 'string', default: join(root, 'dist/image') },
    compression: { type: 'string', default: '9' },
    root: { type: 'string' },
  },
});
const { version, description, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly description: string;
  readonly license: string;
};

const say = (text: string) => process.stderr.write(`image: ${text}\n`);

try {
  if (values.root === undefined) buildImages();
  else writeRoot(hostTarget(), resolve(values.root), commitSeconds(), cacheFolder(hostTarget()));
} catch (error) {
  say(reasonOf(error));
  process.exitCode = 1;
}

function buildImages(): void {
  const output = resolve(values.output);
  const reference = `${values.name}:${version}`;
  const archiveName = (target: Target) => join(output, `bellman-${version}-${target.debian}`);
  const chosen = values.arch.split(',').map(targetNamed);
  const createdSeconds = commitSeconds();
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  const layout = new OciLayout(join(output, 'oci'), {
    reference,
    createdSeconds,
    labels: {
      'org.opencontainers.image.title': 'Bellman',
      'org.opencontainers.image.description': description,
      'org.opencontainers.image.version': version,
      ...revisionLabel(),
      'org.opencontainers.image.licenses': license,
      'org.opencontainers.image.created': new Date(createdSeconds * 1000).toISOString(),
    },
    user: '65532:65532',
    entrypoint: ['/usr/bin/bellman'],
    compression: Number(values.compression),
  });
  const images = chosen.map((target) => {
    say(`building ${reference} for ${target.debian}`);
    prepare(target);
    const folder = join(cacheFolder(target), 'root');
    writeRoot(target, folder, createdSeconds, cacheFolder(target));
    const image = layout.addImage(target, folder, [
      { paths: readdirSync(folder), without: programPaths },
      { paths: programPaths, without: [] },
    ]);
    layout.writeArchive(image, `${archiveName(target)}.tar`);
    copyFileSync(join(folder, sbomFile), `${archiveName(target)}.sbom.cdx.json`);
    const megabytes = (octets: number) => `${(octets / 1e6).toFixed(1)} MB`;
    say(`${target.debian}: ${megabytes(image.compressedOctets)}, unpacked ${megabytes(sizeOf(folder))}`);
    return image;
  });
  say(`${reference} is ${layout.finish(images)} in ${output}`);
}

/** Installs what a build for another architecture needs. */
function prepare(target: Target): void {
  if (isHost(target)) return;
  const needs = [
    `${tool(target, 'g++')}:g++-${target.triplet.replace('x86_64', 'x86-64')}`,
    `${target.qemu}:qemu-user-static`,
  ];
  run(join(root, 'scripts/debian.sh'), needs, root);
  prepareModules(target, join(cacheFolder(target), 'development'));
}

/** SOURCE_DATE_EPOCH where it is set, otherwise the time of the commit. In seconds since 1970. */
function commitSeconds(): number {
  const text = process.env.SOURCE_DATE_EPOCH ?? git('log', '-1', '--format=%ct');
  const seconds = Number(text);
  if (text === '' || !Number.isInteger(seconds))
    throw new Error(
      'the time of the commit is unknown: build in a Git clone, or set SOURCE_DATE_EPOCH to a time in seconds since 1970',
    );
  return seconds;
}

/** No label where there is no clone. The build then takes its time from SOURCE_DATE_EPOCH. */
function revisionLabel(): Readonly<Record<string, string>> {
  const commit = git('rev-parse', 'HEAD');
  if (commit === '') return {};
  const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '-changed';
  return { 'org.opencontainers.image.revision': `${commit}${changed}` };
}

/** Returns an empty text where there is no Git or no clone. */
function git(...args: string[]): string {
  try {
    return execFileSync('git', args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((total, entry) => total + statSync(join(entry.parentPath, entry.name)).size, 0);
}
