import assert from 'node:assert/strict';
import { test } from 'node:test';
import { payloadOf } from '../../../src/layer2/ownership/claim-payloads.ts';
import type { MemberUpdate } from '../../../src/membership/packet.ts';
import { firstClaim } from '../../support/layer2-cluster.ts';
import { MembershipNet, type NetOptions } from '../../support/membership-net.ts';

/** A net in which everybody has met. */
function met(options: NetOptions): MembershipNet {
  const net = new MembershipNet(options);
  assert.ok(
    net.runUntil(() => net.now > 1000 && net.allAgree(), 20_000),
    'they meet',
  );
  net.run(1000);
  net.losses.length = 0;
  return net;
}

function everybodyKnows(net: MembershipNet, subject: string): boolean {
  const observers = net.losses.filter((loss) => loss.subject === subject).map(({ observer }) => observer);
  return new Set(observers).size === net.names.length - 1;
}

for (const loss of [0, 0.05, 0.2])
  test(`ten members with ${loss * 100} % loss: nobody alive is called dead, and a death is known to all within a second`, () => {
    const net = met({ nodes: 10, loss, seed: 1 });
    net.run(60_000);
    assert.deepEqual(net.losses, []);
    for (const name of ['node-3', 'node-7']) {
      net.kill(name);
      assert.ok(net.runUntil(() => everybodyKnows(net, name), 1000));
      assert.ok(net.losses.every(({ isFalse }) => !isFalse));
      net.start(name);
      assert.ok(
        net.runUntil(() => net.allAgree(), 5000),
        'back again',
      );
      net.losses.length = 0;
    }
  });

test('a hundred members: the same, at the same cost for each as among ten', () => {
  const perMember = (nodes: number) => {
    const net = met({ nodes, loss: 0, seed: 2 });
    const before = net.packets;
    net.run(5000);
    assert.deepEqual(net.losses, []);
    const packets = (net.packets - before) / nodes / 5;
    net.kill('node-5');
    assert.ok(net.runUntil(() => everybodyKnows(net, 'node-5'), 1000));
    return packets;
  };
  const [small, large] = [perMember(10), perMember(100)];
  assert.ok(large < small * 1.3, `${small} and ${large} datagrams a second`);
  assert.ok(large < 30, `${large} datagrams a second`);
});

test('who leaves is known to have left at once, though a fifth of all datagrams is lost', () => {
  const net = met({ nodes: 10, loss: 0.2, seed: 3 });
  net.do('node-1', (machine, now) => machine.leave(now));
  net.kill('node-1');
  assert.ok(net.runUntil(() => everybodyKnows(net, 'node-1'), 200, 5));
  for (const name of net.names.slice(2)) assert.equal(net.machine(name)?.member('node-1')?.state, 'left');
});

test('two parts take each other for dead, and are one again within seconds when they can be', () => {
  const net = met({ nodes: 7, loss: 0.05, seed: 4 });
  net.part(['node-0', 'node-1', 'node-2']);
  net.run(5000);
  assert.deepEqual(net.machine('node-0')?.unreachable().sort(), ['node-3', 'node-4', 'node-5', 'node-6']);
  assert.deepEqual(net.machine('node-6')?.unreachable().sort(), ['node-0', 'node-1', 'node-2']);
  net.part([]);
  assert.ok(net.runUntil(() => net.allAgree(), 10_000));
});

test('claims reach everybody through loss, also who comes late', () => {
  const net = met({ nodes: 10, loss: 0.2, seed: 5 });
  net.kill('node-9');
  const addresses = Array.from({ length: 200 }, (_, i) => `192.0.2.${i}`);
  for (const [i, address] of addresses.entries()) {
    const owner = `node-${i % 9}`;
    net.do(owner, (machine, now) => machine.publish([payloadOf(firstClaim(address, owner))], now));
  }
  const knows = (name: string) =>
    addresses.every((address, i) => net.claims(name)?.get(address)?.owner === `node-${i % 9}`);
  assert.ok(net.runUntil(() => net.names.slice(0, 9).every(knows), 5000));
  net.start('node-9');
  assert.ok(net.runUntil(() => knows('node-9'), 5000));
});

test('a member whose own timers ran late blames nobody', () => {
  const net = met({ nodes: 5, loss: 0, seed: 6 });
  const late = net.machine('node-0');
  assert.ok(late);
  const before = late.healthScore;
  late.wakeAt();
  net.do('node-0', (machine, now) => machine.wake(now + 400));
  assert.ok(late.healthScore > before);
  net.run(3000);
  assert.deepEqual(net.losses, []);
});

test('a rumour that somebody is dead who has just been heard is not believed', () => {
  const net = met({ nodes: 4, loss: 0, seed: 7 });
  const hear = (from: string, update: Partial<MemberUpdate> | undefined) =>
    net.do('node-0', (machine, now) => {
      const about = machine.member('node-1');
      assert.ok(about);
      const { incarnation, endpoint } = about;
      const base = {
        kind: 'member',
        name: 'node-1',
        state: 'alive',
        incarnation,
        endpoint,
        metadata: '',
      } as const;
      const updates = update ? [{ ...base, ...update }] : [];
      const packet = { from, incarnation: machine.member(from)?.incarnation ?? 0, summary: 0 };
      machine.receive({ ...packet, body: { kind: 'gossip' }, updates }, { host: from, port: 1 }, now);
    });
  hear('node-1', undefined);
  hear('node-2', { state: 'dead' });
  assert.equal(net.machine('node-0')?.member('node-1')?.state, 'alive');
  net.run(1000);
  assert.deepEqual(net.losses, []);
});

for (const nodes of [3, 5, 10, 30])
  test(`${nodes} members: when a partition ends, nobody is called dead by those who could hear him all the time`, () => {
    for (let seed = 0; seed < 5; seed++) {
      const net = met({ nodes, loss: 0, seed });
      const few = new Set(net.names.slice(0, Math.floor(nodes / 3)));
      net.part(few);
      net.run(3000);
      net.part([]);
      assert.ok(net.runUntil(() => net.allAgree(), 2000));
      net.run(2000);
      const wrong = net.losses.filter(({ observer, subject }) => few.has(observer) === few.has(subject));
      assert.deepEqual(wrong, []);
    }
  });
