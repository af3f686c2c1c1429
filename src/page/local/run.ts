/** The work of `bellman page`. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Clock } from '../../clock.ts';
import { connect } from '../../kubernetes/client.ts';
import { createLogger } from '../../log.ts';
import { PageService } from '../page-service.ts';
import { LeaderPage } from './leader-page.ts';
import { servePage } from './server.ts';

export interface PageRunOptions {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly speakerPort: number;
  readonly controllerPort: number;
  readonly loadBalancerClass?: string;
  readonly port?: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Prints the URL of the page. */
  readonly print: (line: string) => void;
}

const keyOctets = 16;
const logLevel = 'error';

/** Serves the page until the signal aborts. Rejects when it cannot start. */
export async function runPage({ port = 0, clock, signal, print, ...source }: PageRunOptions): Promise<void> {
  const client = await connect(source.kubeconfig, 'bellman-page');
  const own = new PageService({
    ...{ clock, logger: createLogger('page', logLevel), unavailable: () => undefined },
    processOptions: () => ({ ...source, logLevel }),
  });
  const leader = new LeaderPage({ client, clock, ...source });
  const key = randomBytes(keyOctets).toString('base64url');
  const server = await servePage({ port, key, own, leader });
  try {
    print(`http://127.0.0.1:${server.port}/${key}/`);
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await server.close();
    await own.stop();
    client.close();
  }
}
