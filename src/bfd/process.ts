/**
 * The BFD process, a child of the speaker. It runs only while a session is configured. It loads no HTTP, schema or Kubernetes code;
 * test/e2e/build.test.ts checks the bundle for that. Where the node permits it, the kernel schedules the process before every normal process of
 * the node.
 */
import { randomBytes } from 'node:crypto';
import { sendToParent, serveParent } from '../child-process/parent-process.ts';
import { systemClock } from '../clock.ts';
import { createLogger, type LogLevel, lostLogLines } from '../log.ts';
import { systemRandom } from '../random.ts';
import { PredecessorRunner } from '../succession/predecessor-runner.ts';
import { connectToPredecessor } from '../succession/successor-runner.ts';
import { endOnCrash } from '../telemetry/crash.ts';
import { Guard } from '../telemetry/guard.ts';
import { createRecorder } from '../telemetry/recorder.ts';
import { BfdEngine } from './engine.ts';
import type { BfdChange, FromBfd, ToBfd } from './messages.ts';
import { scheduleBeforeOthers } from './scheduling.ts';
import type { BfdSessionSettings } from './session-settings.ts';
import { systemTransport } from './transport/udp-sockets.ts';

const [logLevel = 'info', successionPath] = process.argv.slice(2);
const logger = createLogger('bfd', logLevel as LogLevel);
const scheduling = scheduleBeforeOthers();
if (scheduling.schedulingFault !== undefined)
  logger.warn(
    { reason: scheduling.schedulingFault },
    'BFD runs without real-time scheduling; intervals below 100 ms and multipliers below 3 are raised',
  );

const recorder = createRecorder({ clock: systemClock, logger });
const inputFailures: Record<string, number> = {};
const guard = new Guard({
  logger,
  recorder,
  count: (_, kind) => {
    inputFailures[kind] = (inputFailures[kind] ?? 0) + 1;
  },
});
const statusEveryMs = 1000;
const pauseMs = 1;
const pauseCell = new Int32Array(new SharedArrayBuffer(4));

const report = (message: FromBfd) => sendToParent(message);

let isStatusComing = false;
/** Reports a change at once. The whole status follows, once for all changes of one turn of the event loop. */
function reportChange(change: BfdChange): void {
  report({ kind: 'change', change });
  if (isStatusComing) return;
  isStatusComing = true;
  setImmediate(() => {
    isStatusComing = false;
    reportStatus();
  });
}

const engine = new BfdEngine({
  transport: systemTransport(systemRandom),
  ...{ scheduling, guard, recorder, logger },
  onChange: reportChange,
  random: systemRandom,
  randomOctets: (length) => randomBytes(length),
  // Blocks the thread, so that other processes get the core.
  pause: () => void Atomics.wait(pauseCell, 0, 0, pauseMs),
});
endOnCrash({ logger, recorder, clock: systemClock });

function reportStatus(): void {
  report({
    kind: 'status',
    sessions: engine.status(),
    process: { ...engine.processStatus(), inputFailures, lostLogLines: lostLogLines() },
  });
}

function reportRegularly(): void {
  reportStatus();
  systemClock.after(statusEveryMs, reportRegularly);
}
reportRegularly();

const successor =
  successionPath === undefined
    ? undefined
    : connectToPredecessor({
        ...{ path: successionPath, logger, recorder, guard },
        check: (items) => engine.inherit(items.map(({ octets }) => octets)),
        discard: () => engine.disinherit(),
      });
const predecessor = new PredecessorRunner({
  ...{ path: successionPath ?? '', clock: systemClock, logger, recorder, guard },
  offer: async () => ({
    items: engine.passOn().map((octets) => ({ octets })),
    letGo: async () => engine.letGo(),
    keep: () => undefined,
  }),
});
/**
 * Longest wait for the sessions of the predecessor. They usually come at once: by the time this process starts, the earlier speaker has already
 * told its BFD process to pass them on.
 */
const inheritMs = 5000;
let wanted: readonly BfdSessionSettings[] = [];
let mayRun = successor === undefined;
if (mayRun) listenForSuccessor();

function listenForSuccessor(): void {
  if (successionPath !== undefined) predecessor.listen();
}

/** Begins to work. The predecessor has passed its sessions on, or keeps them, or has not answered within `inheritMs`. */
function run(): void {
  if (mayRun) return;
  mayRun = true;
  setSessions();
  engine.disinherit();
  listenForSuccessor();
}

function setSessions(): void {
  engine.setSessions(wanted);
  reportStatus();
}

async function handle(message: ToBfd): Promise<void> {
  switch (message.kind) {
    case 'sessions':
      wanted = message.sessions;
      if (mayRun) return setSessions();
      systemClock.after(inheritMs, run);
      void successor?.outcome.then(run);
      return successor?.inSync();
    case 'pass-on':
      await predecessor.stop(true);
      return report({ kind: 'passed-on' });
    case 'events':
      return report({ kind: 'events', id: message.id, events: recorder.events() });
    case 'stop':
      return engine.stop();
  }
}
serveParent<ToBfd>(handle, { kind: 'stop' });
