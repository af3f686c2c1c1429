/**
 * The layer-2 process: a child of the speaker that lives on its orders (`ToLayer2`) and tells it what happens (`FromLayer2`). When the
 * speaker is gone, in whatever way, it hands its addresses over, leaves and ends.
 */
import { Registry } from 'prom-client';
import { createLogger, type LogLevel } from '../log.ts';
import { Layer2Agent } from './agent.ts';
import type { FromLayer2, Layer2Settings, ToLayer2 } from './messages.ts';

const [logLevel = 'info', settings = ''] = process.argv.slice(2);
const logger = createLogger('layer2', logLevel as LogLevel);
const registry = new Registry();
const metricsEveryMs = 1000;

const report = (message: FromLayer2) => {
  if (process.connected) process.send?.(message);
};
const agent = new Layer2Agent({ ...(JSON.parse(settings) as Layer2Settings), logger, registry, report });

const metrics = setInterval(() => {
  void registry.getMetricsAsJSON().then((json) => report({ kind: 'metrics', metrics: json }));
  agent.tellCounts();
}, metricsEveryMs);

let orders: Promise<void> = Promise.resolve();
function order(message: ToLayer2): void {
  orders = orders
    .then(() => agent.handle(message))
    .catch((error: unknown) => {
      logger.error({ reason: String(error) }, 'the layer-2 process cannot go on');
      process.exit(1);
    });
  if (message.kind === 'stop')
    void orders.then(() => {
      clearInterval(metrics);
      process.exit(0);
    });
}

process.on('message', (message) => order(message as ToLayer2));
process.on('disconnect', () => order({ kind: 'stop' }));
// A terminal sends these to the whole group; the speaker says when it is time.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
