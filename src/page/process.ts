/**
 * The process that collects the data of the page. It is a child of the process that serves the page, and runs only while somebody looks at the
 * page. Decoding the states of all speakers takes long. In the controller itself, this work would delay all other work.
 */
import { sendToParent, serveParent } from '../child-process/parent-process.ts';
import { systemClock } from '../clock.ts';
import { connect } from '../kubernetes/client.ts';
import { createLogger } from '../log.ts';
import { version } from '../version.ts';
import { PageCollector } from './collector.ts';
import type { FromPage, PageProcessOptions, ToPage } from './messages.ts';

/** A busy speaker with 10,000 Services needs seconds to send its state. Waiting for it does no harm: viewers see the last data meanwhile. */
const silenceMs = 5000;
const [text] = process.argv.slice(2);
if (text === undefined) throw new Error('this program is started by the process that serves the page');
const { kubeconfig, logLevel, ...source } = JSON.parse(text) as PageProcessOptions;
const logger = createLogger('page', logLevel);
const stop = new AbortController();
const publish = (message: FromPage) => sendToParent(message);
const client = await connect(kubeconfig, 'bellman-page', { logger });
const collector = new PageCollector({
  ...{ client, logger, publish, clock: systemClock, release: version, signal: stop.signal },
  source: { ...source, silenceMs, clock: systemClock },
});
void collector.run();

async function handle(message: ToPage): Promise<void> {
  switch (message.kind) {
    case 'explain':
      return publish({
        kind: 'explanation',
        id: message.id,
        answer: await collector.explain(message.service),
      });
    case 'stop':
      return stop.abort();
  }
}
serveParent<ToPage>(handle, { kind: 'stop' });
