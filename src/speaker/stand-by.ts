/**
 * The wait of a new speaker while an earlier one still runs on the node (docs/design/upgrade.md). The new speaker may serve when one of these is
 * true:
 *
 * - It has taken over the sessions of the earlier speaker.
 * - The port of the HTTP endpoint is free. Each speaker binds this port first and frees it last, so the earlier speaker has ended. This also works
 *   with an earlier speaker that passes nothing on.
 */
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Successor } from '../succession/successor-runner.ts';
import type { HttpEndpoint } from '../telemetry/http-server.ts';

export interface StandByOptions {
  /** The connection with the speaker that serves; `undefined` when no speaker can pass its sessions on. */
  readonly successor: Successor | undefined;
  /** Serves the HTTP endpoint. Rejects when its port is taken. */
  readonly serve: () => Promise<HttpEndpoint>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const retryMs = 100;
/** A port that is taken for longer, although no speaker answers on this node, belongs to another program. */
const foreignPortMs = 120_000;

export class StandBy {
  /**
   * Resolves when the endpoint is served. From then on, no other speaker runs. Resolves to `undefined` when this process stops before that.
   * Rejects when the endpoint cannot be served.
   */
  readonly endpoint: Promise<HttpEndpoint | undefined>;
  /** Resolves when the endpoint is served, or when this process begins to wait for the port. Rejects when the endpoint cannot be served. */
  readonly started: Promise<unknown>;
  readonly #options: StandByOptions;
  #isServing = false;
  #isAlone = false;

  constructor(options: StandByOptions) {
    this.#options = options;
    const waits = Promise.withResolvers<void>();
    this.endpoint = this.#serve(() => waits.resolve());
    this.started = Promise.race([this.endpoint, waits.promise]);
  }

  /** Whether the endpoint is served. */
  get isAlone(): boolean {
    return this.#isAlone;
  }

  /** This process has read all objects and could serve. Calls `begin` once it may serve. */
  inSync(begin: () => void): void {
    const once = () => {
      if (this.#isServing || this.#options.signal.aborted) return;
      this.#isServing = true;
      begin();
    };
    const { successor } = this.#options;
    if (this.#isAlone && !successor) return once();
    successor?.inSync();
    const inherits = successor?.outcome ?? Promise.resolve('without');
    void inherits.then(async (outcome) => {
      // There is no endpoint when this process stops, or when the port cannot be bound. In the latter case, run.ts ends the process with the error.
      if (outcome === 'without' && !(await this.endpoint.catch(() => undefined))) return;
      once();
    });
  }

  async #serve(waits: () => void): Promise<HttpEndpoint | undefined> {
    const { serve, clock, logger, signal, successor } = this.#options;
    const sinceMs = clock.now();
    for (let isFirst = true; !signal.aborted; isFirst = false)
      try {
        const endpoint = await serve();
        this.#isAlone = true;
        return endpoint;
      } catch (error) {
        const mayBeSpeaker = successor !== undefined || clock.now() - sinceMs < foreignPortMs;
        if (!isPortTaken(error) || !mayBeSpeaker) throw error;
        if (isFirst)
          logger.warn(
            { reason: error.message },
            'another process has the HTTP port of this speaker; waiting until it is free',
          );
        waits();
        await new Promise<void>((resolve) => void clock.after(retryMs, resolve));
      }
    return undefined;
  }
}

function isPortTaken(error: unknown): error is Error {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
}
