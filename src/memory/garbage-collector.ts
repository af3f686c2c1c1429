import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Returns a function that collects all garbage and unmaps the pages of V8's heap that held it.
 *
 * V8 adds `gc` to new contexts while the flag `--expose-gc` is set. On the command line, the flag would cost each start 25 ms of CPU: Node
 * refuses the compiled code of its own modules when that code was compiled with other flags of V8.
 */
export function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as NonNullable<typeof globalThis.gc>;
  setFlagsFromString('--no-expose-gc');
  return () => {
    void collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  };
}
