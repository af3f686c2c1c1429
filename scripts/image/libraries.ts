/** Finds the shared libraries that programs and addons load. Uses readelf, which reads files of every architecture. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../target.ts';
import type { DebianPackage } from './debian.ts';

export interface Library {
  /** The name by which programs ask for the library. */
  readonly name: string;
  /** The file, in the folder of its package. */
  readonly file: string;
  readonly from: DebianPackage;
}

/**
 * Returns the libraries that the files need, directly or through other libraries, sorted by name. Throws when a file needs a library that is in
 * none of the packages, and when a package is superfluous because no file needs a library of it. In both cases the list of packages is wrong, or
 * an addon is linked to wrong libraries.
 */
export function neededLibraries(
  target: Target,
  files: readonly string[],
  packages: readonly DebianPackage[],
): readonly Library[] {
  const found = new Map<string, Library>();
  const waiting = [...files];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop())
    for (const name of neededBy(file)) {
      if (found.has(name)) continue;
      const library = findLibrary(target, name, packages);
      if (library === undefined)
        throw new Error(
          `${file} needs ${name}, which is in none of the packages of scripts/image/root.ts; add its package`,
        );
      found.set(name, library);
      waiting.push(library.file);
    }
  const libraries = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name } of packages)
    if (!libraries.some(({ from }) => from.name === name))
      throw new Error(`no program needs a library of ${name}, which scripts/image/root.ts lists`);
  return libraries;
}

function neededBy(file: string): readonly string[] {
  const text = execFileSync('readelf', ['--dynamic', '--wide', file], { encoding: 'utf8' });
  return Array.from(text.matchAll(/\(NEEDED\).*\[(.+)\]/g), ([, name = '']) => name);
}

function findLibrary(target: Target, name: string, packages: readonly DebianPackage[]): Library | undefined {
  for (const from of packages)
    for (const folder of ['lib', 'usr/lib']) {
      const file = join(from.folder, folder, target.triplet, name);
      if (existsSync(file)) return { name, file, from };
    }
  return undefined;
}

/** The path of the dynamic loader, as the program's file gives it to the kernel. */
export function loaderOf(file: string): string {
  const text = execFileSync('readelf', ['--program-headers', '--wide', file], { encoding: 'utf8' });
  const [, path] = /program interpreter: (.+)\]/.exec(text) ?? [];
  if (path === undefined) throw new Error(`${file} names no dynamic loader`);
  return path;
}
