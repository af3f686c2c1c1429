/**
 * Writes the root directory of the image: the program, the shared libraries that it needs, and files that describe them. The image contains no shell,
 * no package manager and no other program. Node brings its own certificates and time zones.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { emulatorInRoot, isHost, modulesFolder, root, type Target } from '../target.ts';
import { type DebianPackage, fetchPackages } from './debian.ts';
import { loaderOf, neededLibraries } from './libraries.ts';
import { licences, sbom } from './packages.ts';

/** Where the program is in the image. */
const programFolder = '/usr/lib/bellman';
/** Where the list of all packages is in the image, in CycloneDX's format. */
export const sbomFile = '/usr/share/doc/bellman/sbom.cdx.json';
/** The paths that change with each version of Bellman. They are a layer of their own, so that an upgrade downloads only this layer. */
export const programPaths: readonly string[] = ['app', 'bellman', 'compiled']
  .map((name) => join(programFolder, name))
  .concat('/usr/share/doc/bellman');

/** The packages of the libraries that Node, the addons and libpcap load. */
const libraryPackages = [
  ...['libc6', 'libgcc-s1', 'libstdc++6'],
  ...['libpcap0.8', 'libdbus-1-3', 'libsystemd0', 'libcap2', 'libgcrypt20', 'libgpg-error0'],
  ...['liblz4-1', 'liblzma5', 'libzstd1'],
];
/** Packages from which the image takes only texts: the name of the release, and the licences of other packages. */
const textPackages = ['base-files', 'gcc-12-base'];

const files: Readonly<Record<string, string>> = {
  '/etc/passwd':
    'root:x:0:0:root:/:/sbin/nologin\nbellman:x:65532:65532:controller of Bellman:/:/sbin/nologin\n',
  '/etc/group': 'root:x:0:\nbellman:x:65532:\n',
  '/etc/nsswitch.conf': 'hosts: files dns\n',
};

/**
 * Replaces `folder`. `createdSeconds`, in seconds since 1970, becomes the time of the list of packages. `cache` is a folder for downloaded Debian
 * packages.
 */
export function writeRoot(target: Target, folder: string, createdSeconds: number, cache: string): void {
  rmSync(folder, { recursive: true, force: true });
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const packages = fetchPackages(target, [...libraryPackages, ...textPackages], cache);
  for (const [path, text] of Object.entries(files)) write(path, text);
  for (const path of ['/run/bellman', '/proc', '/sys', '/dev'])
    mkdirSync(join(folder, path), { recursive: true });
  writeLibraries(
    target,
    folder,
    packages.filter(({ name }) => !textPackages.includes(name)),
  );
  for (const each of packages) describe(each, folder, write);
  writeProgram(target, folder);
  const documents = join(folder, dirname(sbomFile));
  mkdirSync(documents, { recursive: true });
  copyFileSync(join(root, 'LICENSE'), join(documents, 'LICENSE'));
  writeFileSync(join(documents, 'third-party-licenses.txt'), licences(target));
  writeFileSync(join(folder, sbomFile), sbom(target, packages, createdSeconds));
}

function writeLibraries(target: Target, folder: string, packages: readonly DebianPackage[]): void {
  const modules = modulesFolder(target);
  const node = join(modules, `node-linux-${target.arch}/bin/node`);
  const programs = [
    node,
    join(modules, 'pcap/build/Release/pcap_binding.node'),
    join(modules, 'raw-socket/build/Release/raw.node'),
    join(modules, `@koromix/koffi-linux-${target.arch}/linux_${target.arch}/koffi.node`),
  ];
  const loader = loaderOf(node);
  const libraryFolder = join('/usr/lib', target.triplet);
  const libraries = neededLibraries(target, programs, packages);
  mkdirSync(join(folder, libraryFolder), { recursive: true });
  for (const { name, file } of libraries) copyFileSync(file, join(folder, libraryFolder, name));
  const inFolder = libraries.find(({ name }) => loader.endsWith(`/${name}`));
  if (inFolder === undefined) throw new Error(`the dynamic loader ${loader} is not among the libraries`);
  mkdirSync(join(folder, dirname(loader)), { recursive: true });
  symlinkSync(join('..', libraryFolder, inFolder.name), join(folder, loader));
}

/** Records a package in status.d, where scanners look for the packages of an image without a package manager. Also copies the package's texts. */
function describe(
  { name, control, folder: from }: DebianPackage,
  folder: string,
  write: (path: string, text: string) => void,
): void {
  write(`/var/lib/dpkg/status.d/${name}`, control);
  const keep = (path: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(from, path), join(folder, path), { recursive: true, verbatimSymlinks: true });
  };
  const documents = `usr/share/doc/${name}`;
  // The folder may be a link to the folder of another package, which has the file `copyright`.
  if (lstatSync(join(from, documents)).isSymbolicLink())
    symlinkSync(readlinkSync(join(from, documents)), join(folder, documents));
  else keep(join(documents, 'copyright'));
  if (name === 'base-files')
    ['etc/os-release', 'usr/lib/os-release', 'usr/share/common-licenses'].forEach(keep);
}

function writeProgram(target: Target, folder: string): void {
  const emulator = join(folder, emulatorInRoot);
  if (!isHost(target)) copyFileSync(join('/usr/bin', target.qemu), emulator);
  try {
    execFileSync(
      process.execPath,
      [join(root, 'scripts/build.ts'), '--arch', target.arch, '--root', folder, programFolder],
      { stdio: 'inherit' },
    );
  } finally {
    rmSync(emulator, { force: true });
  }
  mkdirSync(join(folder, 'usr/bin'), { recursive: true });
  symlinkSync(join('..', 'lib/bellman/bellman'), join(folder, 'usr/bin/bellman'));
}
