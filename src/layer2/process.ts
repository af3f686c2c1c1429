/**
 * The layer-2 process, a child of the speaker. It acts on the speaker's messages (`ToLayer2`) and reports back (`FromLayer2`). When the
 * speaker process ends for any reason, this process hands over its addresses, leaves the membership and ends too. It loads no HTTP, schema
 * or Kubernetes code; test/e2e/build.test.ts checks the bundle for that.
 */
import { Registry } from 'prom-client';
import { sendToParent, serveParent } from '../child-process/parent-process.ts';
import { systemClock } from '../clock.ts';
import { createLogger, type LogLevel } from '../log.ts';
import { keepMemorySmall } from '../memory/keeper.ts';
import { endOnCrash } from '../telemetry/crash.ts';
import { createDiagnostics } from '../telemetry/diagnostics.ts';
import { Layer2Agent } from './agent.ts';
import type { FromLayer2, Layer2Settings, ToLayer2 } from './messages.ts';

const [logLevel = 'info', settings = ''] = process.argv.slice(2);
const logger = createLogger('layer2', logLevel as LogLevel);
const registry = new Registry();
const { recorder, guard } = createDiagnostics({ clock: systemClock, logger, registry });
const metricsEveryMs = 1000;
/**
 * A garbage collection that would pause this process for longer than this is put off. Other speakers declare this node dead after some 300 ms of
 * silence (docs/design/failover.md).
 */
const longestPauseMs = 200;

const report: (message: FromLayer2) => void = sendToParent;
const agent = new Layer2Agent({
  ...(JSON.parse(settings) as Layer2Settings),
  logger,
  registry,
  report,
  guard,
  recorder,
});
endOnCrash({ logger, recorder, clock: systemClock, handOver: () => agent.handle({ kind: 'stop' }) });

function reportCounters(): void {
  void registry.getMetricsAsJSON().then((json) => report({ kind: 'metrics', metrics: json }));
  agent.reportCounts();
  systemClock.after(metricsEveryMs, reportCounters);
}
reportCounters();
keepMemorySmall({ clock: systemClock, logger, longestPauseMs });

serveParent<ToLayer2>((message) => agent.handle(message), { kind: 'stop' });
