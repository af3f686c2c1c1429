import { exitCodes } from './exit-codes.ts';

/** The returned `AbortSignal` aborts on the first SIGTERM or SIGINT. The second one ends the process at once. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(exitCodes.negative);
      stop.abort(signal);
    });
  return stop.signal;
}
