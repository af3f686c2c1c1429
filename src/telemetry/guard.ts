/**
 * The guard at each entrance of foreign octets: a TCP peer's stream, a datagram, a frame, an HTTP body, a watch event. An exception
 * while one input is handled is a bug. It costs only that input or its session, never the process. The guard counts each exception and
 * records it in the flight recorder. Of the exceptions with equal entrance, source and kind, it logs only the first one, with the first
 * octets of the input.
 */
import type { Logger } from 'pino';
import { reasonOf } from '../result.ts';
import { type FlightRecorder, plain } from './flight-recorder.ts';
import { sourceStack } from './source-stack.ts';

export const entrances = ['bgp', 'bfd', 'membership', 'frame', 'http', 'watch', 'succession'] as const;
export type Entrance = (typeof entrances)[number];

export interface GuardOptions {
  readonly logger: Logger;
  /** Counts one failure. Both arguments become metric labels, so each must have few possible values. */
  readonly count?: (entrance: Entrance, kind: string) => void;
  readonly recorder?: FlightRecorder;
}

/** The input that is being handled. */
export interface GuardedInput {
  readonly entrance: Entrance;
  /** Names where the input comes from, for instance a peer, a link, an object or a path. */
  readonly source: string;
  readonly octets?: Uint8Array;
}

const loggedOctets = 64;
/** Maximum number of keys (entrance, source and kind) that are remembered as logged. The oldest are forgotten, and may be logged again. */
const maxRemembered = 1024;

export class Guard {
  readonly #options: GuardOptions;
  readonly #logged = new Set<string>();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Runs `handle`. Returns false when it threw. The caller then ends the session or drops the input. */
  run(input: GuardedInput, handle: () => void): boolean {
    try {
      handle();
      return true;
    } catch (error) {
      this.failed(input, error);
      return false;
    }
  }

  /** Reports a failure that was caught elsewhere, for instance a rejected promise. */
  failed({ entrance, source, octets }: GuardedInput, error: unknown): void {
    const { logger, count, recorder } = this.#options;
    const kind = kindOf(error);
    count?.(entrance, kind);
    const first = octets?.subarray(0, loggedOctets);
    const reason = plain(reasonOf(error));
    recorder?.record('guard', 'input dropped', { entrance, source, kind, reason, octets: first }, []);
    if (!this.#isNew(`${entrance} ${source} ${kind}`)) return;
    const stack = sourceStack(error);
    const hex = first && Buffer.from(first).toString('hex');
    logger.error({ entrance, source: plain(source), kind, reason, octets: hex, stack }, 'bug: input dropped');
  }

  #isNew(key: string): boolean {
    if (this.#logged.has(key)) return false;
    this.#logged.add(key);
    for (const oldest of this.#logged) {
      if (this.#logged.size <= maxRemembered) break;
      this.#logged.delete(oldest);
    }
    return true;
  }
}

/** The error's stable code, or its class when it has none. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : error.name;
}
