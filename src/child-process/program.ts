/** The files of a child's program, relative to the module that starts it. */
export interface ChildProgram {
  readonly source: string;
  /** The entry point in `dist/app/` (scripts/build.ts). Every module of a build is in that folder. */
  readonly bundle: string;
}

/** The program of a child process: from source when the module `importer` is a source file, otherwise from a build. */
export function childProgram(importer: string, { source, bundle }: ChildProgram): URL {
  return new URL(importer.endsWith('.ts') ? source : bundle, importer);
}
