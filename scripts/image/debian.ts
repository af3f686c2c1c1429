/**
 * Takes files from Debian packages without installing the packages, for any architecture and without root. apt checks the signature of Debian's
 * archive and the hash of each package. apt works in folders of its own, so that this machine's list of installed packages stays as it is.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../target.ts';

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** The fields of the package, as `dpkg-deb --field` prints them. */
  readonly control: string;
  /** The folder with the package's files. */
  readonly folder: string;
}

/** This project uses the names that packages and libraries have in this release of Debian. */
const release = 'bookworm';

/**
 * Downloads packages in the version that apt's sources on this machine offer, and unpacks each to a folder below `cache`. With `dependencies`, it
 * also fetches the packages on which they depend.
 */
export function fetchPackages(
  target: Target,
  names: readonly string[],
  cache: string,
  { dependencies = false } = {},
): DebianPackage[] {
  const osRelease = readFileSync('/etc/os-release', 'utf8');
  if (!osRelease.includes(`VERSION_CODENAME=${release}`))
    throw new Error(
      'this machine does not run Debian 12, whose packages the image contains; build the image from Containerfile instead',
    );
  const apt = join(cache, 'apt');
  const archives = join(cache, 'archives');
  const unpacked = join(cache, 'unpacked');
  for (const folder of [archives, unpacked]) rmSync(folder, { recursive: true, force: true });
  for (const folder of [join(apt, 'lists/partial'), join(apt, 'cache/archives/partial'), archives, unpacked])
    mkdirSync(folder, { recursive: true });
  const status = join(apt, 'status');
  writeFileSync(status, '');
  const options = [
    `APT::Architecture=${target.debian}`,
    `APT::Architectures=${target.debian}`,
    // apt otherwise downloads as a user that may not write to these folders.
    `APT::Sandbox::User=root`,
    `Acquire::Languages=none`,
    `Dir::State=${apt}`,
    `Dir::State::status=${status}`,
    `Dir::Cache=${join(apt, 'cache')}`,
  ].flatMap((option) => ['-o', option]);
  run('apt-get', ['-q', ...options, 'update'], archives);
  const wanted = dependencies ? withDependencies(names, options) : names;
  run('apt-get', ['-q', ...options, 'download', ...wanted], archives);
  return readdirSync(archives)
    .sort()
    .map((file) => {
      const archive = join(archives, file);
      const field = (name: string) =>
        execFileSync('dpkg-deb', ['--field', archive, name], { encoding: 'utf8' }).trim();
      const name = field('Package');
      const folder = join(unpacked, name);
      execFileSync('dpkg-deb', ['--extract', archive, folder]);
      const control = execFileSync('dpkg-deb', ['--field', archive], { encoding: 'utf8' });
      return { name, version: field('Version'), control, folder };
    });
}

/** The names of these packages and of their dependencies. apt finds the dependencies as on a machine that has no package yet. */
function withDependencies(names: readonly string[], options: readonly string[]): readonly string[] {
  const install = ['--simulate', '--no-install-recommends', 'install', ...names];
  const text = execFileSync('apt-get', ['-q', ...options, ...install], { encoding: 'utf8' });
  return Array.from(text.matchAll(/^Inst (\S+)/gm), ([, name = '']) => name);
}

/** Runs a command, and shows what it printed only if it fails. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): void {
  try {
    execFileSync(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args[0]} failed:\n${`${stdout}${stderr}`.slice(-4000)}`);
  }
}
