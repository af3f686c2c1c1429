/** The architectures that Bellman is built for, and the programs that build for them. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

export interface Target {
  /** Node's name, as in `process.arch`. */
  readonly arch: 'x64' | 'arm64';
  /** Debian's name, which is also the name that images use. */
  readonly debian: 'amd64' | 'arm64';
  /** Debian's name of the folder of shared libraries, and the prefix of cross compilers. */
  readonly triplet: string;
  /** Debian's name of the QEMU that runs programs of the architecture. */
  readonly qemu: string;
}

export const targets: readonly Target[] = [
  { arch: 'x64', debian: 'amd64', triplet: 'x86_64-linux-gnu', qemu: 'qemu-x86_64-static' },
  { arch: 'arm64', debian: 'arm64', triplet: 'aarch64-linux-gnu', qemu: 'qemu-aarch64-static' },
];

/** The architecture of this machine. */
export function hostTarget(): Target {
  return targetNamed(process.arch);
}

/** Takes Node's or Debian's name. Throws for any other. */
export function targetNamed(name: string): Target {
  const target = targets.find(({ arch, debian }) => name === arch || name === debian);
  if (target === undefined)
    throw new Error(`${name} is not an architecture that Bellman is built for; write amd64 or arm64`);
  return target;
}

export function isHost(target: Target): boolean {
  return target.arch === process.arch;
}

/** The folder in which files of one architecture are prepared. */
export function cacheFolder(target: Target): string {
  return join(root, '.cache/image', target.debian);
}

/** The npm packages of an architecture. */
export function modulesFolder(target: Target): string {
  return isHost(target) ? join(root, 'node_modules') : join(cacheFolder(target), 'npm/node_modules');
}

/** The name of a program of gcc or binutils that builds for the architecture. */
export function tool(target: Target, name: string): string {
  return isHost(target) ? name : `${target.triplet}-${name}`;
}

/** The path of QEMU in the root directory for another architecture. It is there only while the build runs programs in that directory. */
export const emulatorInRoot = '/qemu-static';

/** The words that go before a program in the command that starts it. `newRoot`, if given, becomes the root directory of the program. */
export function runner(target: Target, newRoot: string | undefined): readonly string[] {
  if (newRoot === undefined) {
    if (isHost(target)) return [];
    throw new Error('a build for another architecture needs a root directory');
  }
  // Root calls chroot without a user namespace, because some containers forbid making a user namespace. Any other user can call chroot only in one.
  const enter = process.getuid?.() === 0 ? [] : ['unshare', '--user', '--map-root-user'];
  return [...enter, 'chroot', newRoot, ...(isHost(target) ? [] : [emulatorInRoot])];
}
