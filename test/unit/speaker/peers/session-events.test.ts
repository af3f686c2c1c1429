import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionEvents } from '../../../../src/speaker/peers/session-events.ts';
import { node } from '../fixtures.ts';

test('SessionEvents records that a session is lost and that it is up again, but not its first start', () => {
  const recorded: string[] = [];
  const events = new SessionEvents({
    events: {
      record: ({ regarding, type, reason, message }) =>
        void recorded.push(`${regarding.kind} ${regarding.name} ${type} ${reason}: ${message}`),
    },
    node: () => node('node-1'),
  });
  events.handle({ kind: 'up', peer: 'a' });
  events.handle({ kind: 'up', peer: 'b' });
  events.handle({ kind: 'down', peer: 'a', reason: 'hold timer expired' });
  events.handle({ kind: 'up', peer: 'a' });
  events.handle({ kind: 'up', peer: 'a' });
  assert.deepEqual(recorded, [
    'Node node-1 Warning BGPSessionDown: BGP session with peer a went down: hold timer expired',
    'Node node-1 Normal BGPSessionUp: BGP session with peer a is up again',
  ]);
});
