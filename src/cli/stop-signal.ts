import { exitCodes } from './exit-codes.ts';

/** Aborts on the first SIGTERM or SIGINT. A second signal ends the process at once. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(exitCodes.negative);
      stop.abort(signal);
    });
  return stop.signal;
}
