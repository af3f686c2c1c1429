/** A BFD process for tests. Asked for events, it returns all other messages that it has received. It answers `pass-on` at once. */

import type { BfdProcessStatus, FromBfd, ToBfd } from '../../src/bfd/messages.ts';
import { sendToParent, serveParent } from '../../src/child-process/parent-process.ts';

const received: ToBfd[] = [];
const report: (message: FromBfd) => void = sendToParent;
const status: BfdProcessStatus = {
  scheduling: 'normal',
  minimumIntervalMs: 100,
  minimumDetectMultiplier: 3,
  lateness: { boundsMs: [], counts: [], sumMs: 0, maxMs: 0 },
  dropped: {},
  inputFailures: {},
  lostLogLines: 0,
};

serveParent<ToBfd>(
  (message) => {
    if (message.kind === 'pass-on') report({ kind: 'passed-on' });
    if (message.kind === 'events')
      return report({
        kind: 'events',
        id: message.id,
        events: received.map((event) => ({ at: 0, machine: 'test', event, state: '', actions: [] })),
      });
    received.push(message);
  },
  { kind: 'stop' },
);
report({ kind: 'status', sessions: [], process: status });
