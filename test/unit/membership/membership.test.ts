import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Membership } from '../../../src/membership/membership.ts';
import type { MemberState, MemberUpdate } from '../../../src/membership/packet.ts';
import { TextStore } from '../../support/text-payloads.ts';

const endpoint = { host: '192.0.2.1', port: 7946 };
const other = { host: '192.0.2.2', port: 7946 };

function about(name: string, state: MemberState, incarnation: number): MemberUpdate {
  return { kind: 'member', name, state, incarnation, endpoint, metadata: '' };
}

test('Membership restates in its ack that it is alive, even if an outdated statement about it follows in the ping', () => {
  const membership = new Membership({
    name: 'a',
    incarnation: 5,
    endpoint,
    metadata: '',
    payloads: new TextStore(),
    random: () => 0,
  });
  const updates = [about('a', 'alive', 5), about('a', 'alive', 4)];
  const ping = {
    from: 'b',
    incarnation: 1,
    summary: 0,
    body: { kind: 'ping', sequence: 7 },
    updates,
  } as const;
  membership.receive(ping, other, 0);
  const ack = membership.take().packets.find(({ packet }) => packet.body.kind === 'ack');
  assert.deepEqual(
    ack?.packet.updates.filter((update) => update.kind === 'member' && update.name === 'a'),
    [about('a', 'alive', 5)],
  );
});
