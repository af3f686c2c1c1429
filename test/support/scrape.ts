import { Registry } from 'prom-client';
import type { Endpoints } from '../../src/telemetry/http-server.ts';

/** The metrics of an endpoint whose text is these pieces. */
export function scrapeOf(...pieces: (string | Promise<string>)[]): Endpoints['registry'] {
  return {
    contentType: new Registry().contentType,
    metrics: async function* () {
      yield* pieces;
    },
  };
}
