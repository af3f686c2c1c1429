/**
 * A layer-2 process for tests. To the question `claimed` it answers that every address of the question is claimed. Asked for events, it returns
 * all other messages that it has received.
 */
import { sendToParent, serveParent } from '../../src/child-process/parent-process.ts';
import type { FromLayer2, ToLayer2 } from '../../src/layer2/messages.ts';

const received: ToLayer2[] = [];
const report: (message: FromLayer2) => void = sendToParent;

serveParent<ToLayer2>(
  (message) => {
    if (message.kind === 'claimed')
      return report({ kind: 'claimed', id: message.id, addresses: message.addresses });
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
