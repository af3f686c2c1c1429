import type { ChildProcess } from 'node:child_process';

/** Gathers what a process writes to its standard output and error, for assertions and for the report of a failure. */
export function collectLog(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  return () => text;
}
