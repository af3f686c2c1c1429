import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isLive } from '../../../src/membership/member-table.ts';
import type { MemberUpdate, Packet, Update } from '../../../src/membership/packet.ts';
import { MembershipNet, type NetOptions } from '../../support/membership-net.ts';
import { textPayload } from '../../support/text-payloads.ts';

/** A net in which all members know each other. */
function acquainted(options: NetOptions): MembershipNet {
  const net = new MembershipNet(options);
  assert.ok(
    net.runUntil(() => net.now > 1000 && net.allAgree(), 20_000),
    'all members join',
  );
  net.run(1000);
  net.losses.length = 0;
  return net;
}

/** Whether every other member has declared the subject dead or left. */
function isLostToAll(net: MembershipNet, subject: string): boolean {
  const observers = net.losses.filter((loss) => loss.subject === subject).map(({ observer }) => observer);
  return new Set(observers).size === net.names.length - 1;
}

/** Delivers a packet of `from` to node-0. */
function deliver(
  net: MembershipNet,
  from: string,
  updates: readonly Update[],
  body: Packet['body'] = { kind: 'gossip' },
): void {
  net.do('node-0', (machine, now) => {
    const incarnation = machine.member(from)?.incarnation ?? 1;
    machine.receive(
      { from, incarnation, summary: 0, readsBranches: true, body, updates },
      { host: from, port: 1 },
      now,
    );
  });
}

function statement(name: string, over: Partial<MemberUpdate>): MemberUpdate {
  return {
    kind: 'member',
    name,
    state: 'alive',
    incarnation: 1,
    endpoint: { host: name, port: 1 },
    metadata: '',
    ...over,
  };
}

describe('Membership, deaths', () => {
  for (const loss of [0, 0.05, 0.2])
    test(`ten members at ${loss * 100} % loss: no false death in a minute, and every member learns of a death within a second`, () => {
      const net = acquainted({ nodes: 10, loss, seed: 1 });
      net.run(60_000);
      assert.deepEqual(net.losses, []);
      for (const name of ['node-3', 'node-7']) {
        net.kill(name);
        assert.ok(net.runUntil(() => isLostToAll(net, name), 1000));
        assert.ok(net.losses.every(({ isFalse }) => !isFalse));
        net.start(name);
        assert.ok(
          net.runUntil(() => net.allAgree(), 5000),
          'the member comes back',
        );
        net.losses.length = 0;
      }
    });

  test('a member of a cluster of 100 sends less than 30 % more datagrams than a member of a cluster of ten', () => {
    const perMember = (nodes: number) => {
      const net = acquainted({ nodes, loss: 0, seed: 2 });
      const before = net.packets;
      net.run(5000);
      assert.deepEqual(net.losses, []);
      const packets = (net.packets - before) / nodes / 5;
      net.kill('node-5');
      assert.ok(net.runUntil(() => isLostToAll(net, 'node-5'), 1000));
      return packets;
    };
    const [small, large] = [perMember(10), perMember(100)];
    assert.ok(large < small * 1.3, `${small} and ${large} datagrams a second`);
    assert.ok(large < 30, `${large} datagrams a second`);
  });

  test('when 40 of 100 members with long descriptions die at once, all others know it within three seconds', () => {
    const net = acquainted({ nodes: 100, loss: 0, seed: 3, metadata: 'x'.repeat(230) });
    for (const name of net.names.slice(0, 40)) net.kill(name);
    assert.ok(net.runUntil(() => net.allAgree(), 3000));
    assert.ok(net.losses.every(({ isFalse }) => !isFalse));
  });

  test('a member whose own timers ran late declares no other member dead', () => {
    const net = acquainted({ nodes: 5, loss: 0, seed: 6 });
    const late = net.machine('node-0');
    assert.ok(late);
    const before = late.healthScore;
    late.wakeAtMs();
    net.do('node-0', (machine, now) => machine.wake(now + 400));
    assert.ok(late.healthScore > before);
    net.run(3000);
    assert.deepEqual(net.losses, []);
  });

  test('a member does not believe gossip about the death of a member that it has just heard', () => {
    const net = acquainted({ nodes: 4, loss: 0, seed: 7 });
    const { incarnation = 0 } = net.machine('node-0')?.member('node-1') ?? {};
    deliver(net, 'node-1', []);
    deliver(net, 'node-2', [statement('node-1', { state: 'dead', incarnation })]);
    assert.equal(net.machine('node-0')?.member('node-1')?.state, 'alive');
    net.run(1000);
    assert.deepEqual(net.losses, []);
  });
});

describe('Membership, two members that do not hear each other', () => {
  for (const loss of [0, 0.2])
    test(`consider each other alive while the others hear both, at ${loss * 100} % loss`, () => {
      for (let seed = 1; seed <= 5; seed++) {
        const net = acquainted({ nodes: 5, loss, seed });
        net.cut('node-0', 'node-1');
        net.run(60_000);
        assert.deepEqual(net.losses, []);
      }
    });
});

describe('Membership, partitions', () => {
  test('the two sides declare each other dead, and agree again within ten seconds after the partition ends', () => {
    const net = acquainted({ nodes: 7, loss: 0.05, seed: 4 });
    net.part(['node-0', 'node-1', 'node-2']);
    net.run(5000);
    assert.deepEqual(net.machine('node-0')?.unreachable().sort(), ['node-3', 'node-4', 'node-5', 'node-6']);
    assert.deepEqual(net.machine('node-6')?.unreachable().sort(), ['node-0', 'node-1', 'node-2']);
    net.part([]);
    assert.ok(net.runUntil(() => net.allAgree(), 10_000));
  });

  for (const nodes of [3, 5, 10, 30])
    test(`${nodes} members: when a partition ends, no member declares a member of its own side dead`, () => {
      for (let seed = 0; seed < 5; seed++) {
        const net = acquainted({ nodes, loss: 0, seed });
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
});

describe('Membership, departures', () => {
  test('a departure is known to all within 200 ms at 20 % loss', () => {
    const net = acquainted({ nodes: 10, loss: 0.2, seed: 3 });
    net.do('node-1', (machine, now) => machine.leave(now));
    net.kill('node-1');
    assert.ok(net.runUntil(() => isLostToAll(net, 'node-1'), 200, 5));
    for (const name of net.names.slice(2)) assert.equal(net.machine(name)?.member('node-1')?.state, 'left');
  });

  test('while a member still hears another one, it does not believe gossip that the other one has left', () => {
    const net = acquainted({ nodes: 4, loss: 0, seed: 8 });
    const { incarnation = 0 } = net.machine('node-0')?.member('node-1') ?? {};
    deliver(net, 'node-1', []);
    deliver(net, 'node-2', [statement('node-1', { state: 'left', incarnation })]);
    net.run(1000);
    assert.equal(net.machine('node-0')?.member('node-1')?.state, 'alive');
    assert.deepEqual(net.losses, []);
  });
});

describe('Membership, names that Kubernetes does not list', () => {
  const invented = (packet: number): MemberUpdate[] =>
    Array.from({ length: 20 }, (_, i) => statement(`invented-${packet}-${i}`, {}));

  test('are limited in number, not passed on, and dropped after 30 s', () => {
    const net = acquainted({ nodes: 4, loss: 0, seed: 9, isListCertain: true });
    for (let packet = 0; packet < 40; packet++) deliver(net, 'node-3', invented(packet));
    const unlisted = (name: string) =>
      [...(net.machine(name)?.members() ?? [])].filter((member) => member.name.startsWith('invented'));
    assert.equal(unlisted('node-0').length, 8);
    net.run(10_000);
    for (const name of ['node-1', 'node-2', 'node-3']) assert.deepEqual(unlisted(name), []);
    net.run(25_000);
    assert.deepEqual(unlisted('node-0'), []);
    assert.ok(net.allAgree());
  });

  test('are kept when their members speak for themselves', () => {
    const net = acquainted({ nodes: 4, loss: 0, seed: 10, isListCertain: true });
    const endpoints = new Map(net.names.slice(0, 3).map((name) => [name, [{ host: name, port: 1 }]]));
    net.kill('node-3');
    net.run(5000);
    net.do('node-0', (machine, now) => machine.setSpeakers(endpoints, now, true));
    assert.equal(net.machine('node-0')?.member('node-3'), undefined);
    net.start('node-3');
    assert.ok(net.runUntil(() => isLive(net.machine('node-0')?.member('node-3')), 5000));
    net.run(60_000);
    assert.ok(isLive(net.machine('node-0')?.member('node-3')));
  });
});

describe('Membership, payload records', () => {
  const records = (count: number) => Array.from({ length: count }, (_, i) => textPayload(`record ${i}`));

  test('reach all members despite loss, and also a member that joins late', () => {
    const net = acquainted({ nodes: 10, loss: 0.2, seed: 5 });
    net.kill('node-9');
    for (const [i, record] of records(200).entries())
      net.do(`node-${i % 9}`, (machine, now) => machine.publish([record], now));
    const holdsAll = (name: string) => net.store(name)?.size === 200;
    assert.ok(net.runUntil(() => net.names.slice(0, 9).every(holdsAll), 5000));
    net.start('node-9');
    assert.ok(net.runUntil(() => holdsAll('node-9'), 5000));
  });

  for (const [nodes, count, loss] of [
    [4, 5000, 0],
    [4, 5000, 0.05],
    [11, 20_000, 0],
  ] as const)
    test(`a member that joins ${nodes - 1} others with ${count} records at ${loss * 100} % loss is synced only once it has all records`, () => {
      const net = acquainted({ nodes, loss, seed: 11 });
      net.kill('node-0');
      net.run(5000);
      // All members learn the records in the same order, so all of them answer a digest in that order.
      for (const name of net.names.slice(1))
        net.do(name, (machine, now) => machine.publish(records(count), now));
      net.run(2000);
      net.start('node-0');
      const held = () => net.store('node-0')?.size ?? 0;
      assert.ok(net.runUntil(() => net.machine('node-0')?.isSynced ?? false, 3000, 1));
      assert.equal(held(), count);
    });

  test('10,000 records published at once reach all members, although they are too many for one batch of news', () => {
    const net = acquainted({ nodes: 4, loss: 0, seed: 12 });
    net.do('node-0', (machine, now) => machine.publish(records(10_000), now));
    assert.ok(net.runUntil(() => net.names.every((name) => net.store(name)?.size === 10_000), 500, 5));
  });
});
