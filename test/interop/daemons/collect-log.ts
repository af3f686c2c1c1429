import type { ChildProcess } from 'node:child_process';

/** Collects the standard output and error of a process, for assertions and failure messages. */
export function collectLog(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  return () => text;
}
