/**
 * Builds the images that the tests need on every node, from Go programs and Debian packages:
 *   node lab/conformance/images.ts PROGRAMS FOLDER
 * PROGRAMS is the folder that `build.sh` prints. The program writes the archives that FOLDER lacks.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchPackages } from '../../scripts/image/debian.ts';
import { OciLayout } from '../../scripts/image/oci.ts';
import { hostTarget } from '../../scripts/target.ts';
import { dnsImage } from './dns.ts';

/**
 * Packages of the programs that the tests run in a Pod, in addition to agnhost: a shell with its usual commands, curl, wget, nc and ss. wget has a
 * package of its own, because the wget in the busybox of Debian crashes.
 */
const packages = ['busybox', 'curl', 'wget', 'netcat-openbsd', 'iproute2'];

/** The name under which the tests ask for the image of agnhost. */
function agnhostImage(programs: string): string {
  // Any path does for the kubeconfig, because the program only prints a list.
  const list = execFileSync(join(programs, 'e2e.test'), ['--list-images', '--kubeconfig=/dev/null'], {
    encoding: 'utf8',
  });
  // The list also has an older version, for tests of upgrades, and a copy in a registry that needs a password.
  const names = list.split('\n').filter((name) => name.includes('e2e-test-images/agnhost:'));
  const newest = names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
  if (newest === undefined) throw new Error(`e2e.test names no image of agnhost:\n${list}`);
  return newest;
}

interface Content {
  readonly entrypoint: readonly string[];
  readonly command?: readonly string[];
  /** Writes the root directory of the image. */
  readonly write: (root: string) => void;
}

function archive(name: string, reference: string, folder: string, content: Content): void {
  const file = join(folder, `${name}.tar`);
  if (existsSync(file)) return;
  const work = mkdtempSync(join(tmpdir(), 'bellman-conformance-'));
  try {
    const root = join(work, 'root');
    mkdirSync(root);
    content.write(root);
    const { entrypoint, command } = content;
    // The image crosses no network, so it is not worth the time to make it small.
    const settings = { reference, createdSeconds: 0, labels: {}, user: '0:0', entrypoint, compression: 1 };
    const layout = new OciLayout(join(work, 'layout'), { ...settings, ...(command && { command }) });
    const image = layout.addImage(hostTarget(), root, [{ paths: readdirSync(root), without: [] }]);
    layout.writeArchive(image, `${file}.new`);
    // Only a finished archive gets its name.
    renameSync(`${file}.new`, file);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Writes a root directory with agnhost and the programs of the packages. */
function writeAgnhost(root: string, agnhost: string, cache: string): void {
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(root, 'usr', name), { recursive: true });
    symlinkSync(join('usr', name), join(root, name));
  }
  for (const { folder } of fetchPackages(hostTarget(), packages, cache, { dependencies: true }))
    for (const name of ['bin', 'sbin', 'lib', 'lib64', 'usr/bin', 'usr/sbin', 'usr/lib']) {
      const from = join(folder, name);
      const to = join(root, 'usr', name.replace('usr/', ''));
      if (existsSync(from)) cpSync(from, to, { recursive: true, verbatimSymlinks: true });
    }
  symlinkSync('nc.openbsd', join(root, 'usr/bin/nc'));
  const applets = execFileSync(join(root, 'usr/bin/busybox'), ['--list'], { encoding: 'utf8' });
  for (const applet of applets.trim().split('\n')) {
    const path = join(root, 'usr/bin', applet);
    if (!existsSync(path)) symlinkSync('busybox', path);
  }
  for (const folder of ['etc', 'tmp', 'uploads', 'proc', 'sys', 'dev']) mkdirSync(join(root, folder));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
  copyFileSync(agnhost, join(root, 'agnhost'));
}

const [programs, folder] = process.argv.slice(2);
if (programs === undefined || folder === undefined)
  throw new Error('usage: node lab/conformance/images.ts PROGRAMS FOLDER');
mkdirSync(folder, { recursive: true });
archive('coredns', dnsImage, folder, {
  entrypoint: ['/coredns'],
  write: (root) => copyFileSync(join(programs, 'coredns'), join(root, 'coredns')),
});
archive('agnhost', agnhostImage(programs), folder, {
  entrypoint: ['/agnhost'],
  command: ['pause'],
  write: (root) => writeAgnhost(root, join(programs, 'agnhost'), join(folder, 'debian')),
});
rmSync(join(folder, 'debian'), { recursive: true, force: true });
