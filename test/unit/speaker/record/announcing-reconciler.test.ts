import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { EventRecord } from '../../../../src/kubernetes/events.ts';
import type { Service } from '../../../../src/kubernetes/model.ts';
import { AnnouncingReconciler } from '../../../../src/speaker/record/announcing-reconciler.ts';
import { Guard } from '../../../../src/telemetry/guard.ts';
import { Turns } from '../../../../src/turns.ts';
import { MemoryApi } from '../../../support/memory-api.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';
import { pass, settle } from '../../../support/virtual-run.ts';
import { service } from '../fixtures.ts';

const annotation = 'bellman.dev/announcing';
const path = '/api/v1/namespaces/default/services/web';

interface SetUpOptions {
  /** The record before the test. */
  readonly line?: string;
  readonly service?: Partial<Service>;
  /** Dead nodes for which node-1 acts. */
  readonly dead?: readonly string[];
  /** Dead nodes for which another node acts. */
  readonly deadForOthers?: readonly string[];
}

/** The reconciler of node-1. The Service default/web has the address 192.0.2.241. */
function setUp({ line, service: over = {}, dead = [], deadForOthers = [] }: SetUpOptions = {}) {
  const api = new MemoryApi();
  const clock = new VirtualClock();
  const events: EventRecord[] = [];
  const services = new Map<string, Service>();
  const claimed = new Set<string>();
  let failures = 0;
  const put = (text: string | undefined) =>
    api.put(path, {
      metadata: {
        name: 'web',
        namespace: 'default',
        annotations: text === undefined ? {} : { [annotation]: text },
      },
    });
  /** Delivers the Service as the API server has it. */
  const see = () => {
    const { annotations = {}, resourceVersion = '' } = api.get(path)?.metadata ?? {};
    const web = service('web', ['192.0.2.241'], { ...over, annotations, resourceVersion });
    services.set('default/web', web);
    reconciler.serviceChanged(web);
  };
  const reconciler = new AnnouncingReconciler({
    nodeName: 'node-1',
    clock,
    client: api,
    events: { record: (event) => void events.push(event) },
    logger: pino({ level: 'silent' }),
    guard: new Guard({ logger: pino({ level: 'silent' }), count: () => void failures++ }),
    turns: new Turns(clock),
    services,
    isOurs: ({ name, loadBalancerClass }) => {
      if (name === 'bad') throw new TypeError('bug');
      return loadBalancerClass === undefined;
    },
    actsForDeadNode: (node) => dead.includes(node),
    isDead: (node) => dead.includes(node) || deadForOthers.includes(node),
    claimed: (addresses) => Promise.resolve(new Set(addresses.filter((address) => claimed.has(address)))),
    unansweredReason: () => 'because',
  });
  put(line);
  see();
  reconciler.start();
  return {
    api,
    reconciler,
    services,
    /** Addresses that a live node claims. */
    claimed,
    put,
    see,
    failures: () => failures,
    events: () => events.splice(0).map(({ reason, message }) => `${reason} ${message}`),
    line: () => api.get(path)?.metadata.annotations?.[annotation],
    writes: () => api.writes.length,
    pass: async (ms: number) => {
      await pass(clock, ms);
      await settle();
    },
    answer: (address = '192.0.2.241') =>
      reconciler.started({ address, interfaces: ['eth0'], since: '' }, [...services.values()].slice(0, 1)),
  };
}

test('AnnouncingReconciler writes the line of a new owner once, with an event', async () => {
  const o = setUp({ line: '192.0.2.241=node-2/eth0' });
  o.answer();
  await o.pass(0);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0');
  assert.deepEqual(o.events(), ['NodeAssigned node node-1 answers for 192.0.2.241 on eth0']);
  o.see();
  await o.pass(60_000);
  assert.equal(o.writes(), 1);
});

test('AnnouncingReconciler backs off when a live node keeps overwriting its line', async () => {
  const o = setUp();
  o.answer();
  await o.pass(0);
  let overwritten = 0;
  for (let second = 0; second < 3600; second++) {
    if (o.line() === '192.0.2.241=node-1/eth0') {
      overwritten++;
      o.see();
      o.put('192.0.2.241=node-3/eth0');
    }
    o.see();
    await o.pass(1000);
  }
  assert.ok(overwritten >= 8 && overwritten <= 13, `overwritten ${overwritten} times in an hour`);
  o.answer();
  await o.pass(0);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0', 'a node that begins to answer writes at once');
});

test('AnnouncingReconciler corrects the record soon after a partition in which both sides have overwritten it many times', async () => {
  const o = setUp();
  o.answer();
  for (let second = 0; second < 3600; second++) {
    o.see();
    if (o.line() === '192.0.2.241=node-1/eth0') o.put('192.0.2.241=node-3/eth0');
    await o.pass(1000);
  }
  o.put('192.0.2.241=node-3/eth0');
  o.see();
  await o.pass(3000);
  o.reconciler.partitionEnded();
  await o.pass(10_000);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0');
});

test('AnnouncingReconciler replaces the line of a competing node when that node dies, even if another node acts for the dead one', async () => {
  const dead: string[] = [];
  const o = setUp({ deadForOthers: dead });
  o.answer();
  await o.pass(0);
  o.see();
  o.put('192.0.2.241=node-3/eth0');
  o.see();
  await o.pass(3000);
  assert.equal(o.line(), '192.0.2.241=node-3/eth0');
  dead.push('node-3');
  await o.pass(3000);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0');
});

test('AnnouncingReconciler soon writes the line of a new owner to every Service that shares the address', async () => {
  const o = setUp({ line: '192.0.2.241=node-2/eth0' });
  const names = Array.from({ length: 20 }, (_, i) => `shared-${i}`);
  const collection = '/api/v1/namespaces/default/services';
  const recordOf = (name: string) => o.api.get(`${collection}/${name}`)?.metadata.annotations?.[annotation];
  for (const name of names) {
    const annotations = { [annotation]: '192.0.2.241=node-2/eth0' };
    const { metadata } = o.api.put(`${collection}/${name}`, {
      metadata: { name, namespace: 'default', annotations },
    });
    const { resourceVersion = '' } = metadata;
    const shared = service(name, ['192.0.2.241'], { annotations, resourceVersion });
    o.services.set(`default/${name}`, shared);
    o.reconciler.serviceChanged(shared);
  }
  o.reconciler.started({ address: '192.0.2.241', interfaces: ['eth0'], since: '' }, [...o.services.values()]);
  await o.pass(5000);
  assert.deepEqual(
    names.filter((name) => recordOf(name) !== '192.0.2.241=node-1/eth0'),
    [],
  );
});

test('AnnouncingReconciler does not overwrite the line of a successor while this node still answers', async () => {
  const o = setUp({ line: '192.0.2.241=node-1/eth0' });
  o.answer();
  await o.pass(60_000);
  // The successor answers and writes its line a moment before this node stops answering.
  o.put('192.0.2.241=node-2/eth0');
  o.see();
  await o.pass(3000);
  o.reconciler.stopped('192.0.2.241');
  await o.pass(60_000);
  assert.equal(o.line(), '192.0.2.241=node-2/eth0');
  assert.deepEqual([o.writes(), o.events()], [0, []]);
});

test('AnnouncingReconciler writes both lines of a dual-stack Service, although the second write begins before it has seen the first', async () => {
  const over = { ingress: [{ ip: '192.0.2.241' }, { ip: '2001:db8::1' }] };
  const o = setUp({ line: '192.0.2.241=node-2/eth0,2001:db8::1=node-2/eth0', service: over });
  o.answer();
  o.answer('2001:db8::1');
  await o.pass(0);
  o.see();
  await o.pass(1000);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0,2001:db8::1=node-1/eth0');
});

test('AnnouncingReconciler removes its line when no successor overwrites it', async () => {
  const o = setUp({ line: '192.0.2.241=node-1/eth0' });
  o.answer();
  await o.pass(20_000);
  assert.equal(o.writes(), 0);
  o.reconciler.stopped('192.0.2.241');
  await o.pass(7000);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0');
  await o.pass(8000);
  assert.equal(o.line(), undefined);
  assert.deepEqual(o.events(), ['NodeUnassigned no node answers for 192.0.2.241 any more: because']);
  o.see();
  const written = o.writes();
  await o.pass(60_000);
  assert.equal(o.writes(), written);
  assert.deepEqual(o.events(), []);
});

test('AnnouncingReconciler keeps its line, without an event, while another live node claims the address', async () => {
  const o = setUp({ line: '192.0.2.241=node-1/eth0' });
  o.claimed.add('192.0.2.241');
  await o.pass(60_000);
  assert.deepEqual([o.line(), o.events()], ['192.0.2.241=node-1/eth0', []]);
  o.claimed.clear();
  await o.pass(4000);
  assert.equal(o.line(), undefined);
});

test('AnnouncingReconciler keeps its line when this node answers again in time', async () => {
  const o = setUp({ line: '192.0.2.241=node-1/eth0' });
  o.answer();
  await o.pass(1000);
  o.reconciler.stopped('192.0.2.241');
  await o.pass(5000);
  o.answer();
  await o.pass(5000);
  o.reconciler.stopped('192.0.2.241');
  await o.pass(6000);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0');
});

test('AnnouncingReconciler does not change the line of a live node', async () => {
  const o = setUp({ line: '192.0.2.241=node-2/eth0' });
  await o.pass(60_000);
  assert.equal(o.writes(), 0);
});

test('AnnouncingReconciler removes the line of a dead node for which it acts', async () => {
  const o = setUp({ line: '192.0.2.241=node-9/eth0', dead: ['node-9'] });
  await o.pass(20_000);
  assert.equal(o.line(), undefined);
});

test('AnnouncingReconciler replaces the line of a dead node with its own line, without the event NodeUnassigned', async () => {
  const o = setUp({ dead: ['node-9'] });
  o.answer();
  await o.pass(0);
  o.see();
  o.put('192.0.2.241=node-9/eth0');
  o.see();
  await o.pass(20_000);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0');
  assert.deepEqual(
    o.events().filter((event) => event.startsWith('NodeUnassigned')),
    [],
  );
});

test('AnnouncingReconciler removes the line of an address that the Service no longer has', async () => {
  const moved = setUp({ line: '192.0.2.9=node-1/eth0,192.0.2.241=node-2/eth0' });
  await moved.pass(20_000);
  assert.equal(moved.line(), '192.0.2.241=node-2/eth0');
  const plain = setUp({ line: '192.0.2.241=node-1/eth0', service: { type: 'ClusterIP', ingress: [] } });
  await plain.pass(20_000);
  assert.equal(plain.line(), undefined);
});

test('AnnouncingReconciler removes the line of an address that has moved to another Service', async () => {
  const o = setUp({ line: '192.0.2.9=node-1/eth0,192.0.2.241=node-2/eth0' });
  o.reconciler.started({ address: '192.0.2.9', interfaces: ['eth0'], since: '' }, []);
  await o.pass(20_000);
  assert.equal(o.line(), '192.0.2.241=node-2/eth0');
  assert.deepEqual(o.events(), []);
});

test('AnnouncingReconciler ignores a Service of another class, even if it has an address that this node answers for', async () => {
  const o = setUp({
    line: '192.0.2.241=node-1/eth0',
    service: { loadBalancerClass: 'example.org/other' },
  });
  await o.pass(20_000);
  o.answer();
  o.see();
  await o.pass(20_000);
  assert.equal(o.writes(), 0);
});

test('AnnouncingReconciler waits for a successor for the full time after an outage of the API server, before it removes its line', async () => {
  const o = setUp({ line: '192.0.2.241=node-1/eth0' });
  const { reachability } = o.api;
  reachability.missed('away');
  await o.pass(60_000);
  assert.equal(o.writes(), 0);
  reachability.answered();
  await o.pass(7000);
  assert.equal(o.writes(), 0);
  await o.pass(6000);
  assert.equal(o.line(), undefined);
});

test('AnnouncingReconciler overwrites a newer version of the Service only after it has seen that version', async () => {
  const o = setUp({ line: '192.0.2.241=node-1/eth0' });
  const stale = o.services.get('default/web');
  assert.ok(stale);
  o.services.set('default/web', { ...stale, resourceVersion: '1' });
  await o.pass(20_000);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0');
  o.see();
  await o.pass(60_000);
  assert.equal(o.line(), undefined);
});

test('AnnouncingReconciler reads a Service every two seconds only while the record of the Service may be wrong', async () => {
  const o = setUp();
  let reads = 0;
  o.answer('192.0.2.9');
  const records = {
    '192.0.2.9': '192.0.2.9=node-1/eth0',
    '192.0.2.10': '192.0.2.10=node-2/eth0',
    '192.0.2.11': '',
  };
  for (const [address, record] of Object.entries(records)) {
    const annotations: Record<string, string> = record === '' ? {} : { [annotation]: record };
    const other = service(`with-${address}`, [address], { annotations });
    const watched = {
      ...other,
      get ingress() {
        reads++;
        return other.ingress;
      },
    };
    o.services.set(`default/with-${address}`, watched);
    o.reconciler.serviceChanged(watched);
  }
  await o.pass(10_000);
  assert.ok(reads > 0);
  reads = 0;
  await o.pass(60_000);
  assert.equal(reads, 0);
});

test('AnnouncingReconciler forgets a Service that is gone, and corrects the record of a new Service with the same name', async () => {
  const o = setUp({ line: '192.0.2.241=node-1/eth0' });
  o.answer();
  await o.pass(10_000);
  o.services.clear();
  o.reconciler.serviceGone('default/web');
  o.reconciler.stopped('192.0.2.241');
  await o.pass(60_000);
  assert.equal(o.writes(), 0);
  o.see();
  await o.pass(20_000);
  assert.equal(o.line(), undefined);
});

test('AnnouncingReconciler removes the line of a node that dies after the record has been right for a long time', async () => {
  const dead: string[] = [];
  const o = setUp({ line: '192.0.2.241=node-9/eth0', dead });
  await o.pass(600_000);
  assert.equal(o.writes(), 0);
  dead.push('node-9');
  await o.pass(20_000);
  assert.equal(o.line(), undefined);
});

test('AnnouncingReconciler keeps the records of other Services correct when one Service raises an exception', async () => {
  const o = setUp({ line: '192.0.2.241=node-9/eth0', dead: ['node-9'] });
  const good = o.services.get('default/web');
  assert.ok(good);
  o.services.clear();
  const bad = service('bad', ['192.0.2.242'], { annotations: { [annotation]: '192.0.2.242=node-9/eth0' } });
  o.services.set('default/bad', bad);
  assert.throws(() => o.reconciler.serviceChanged(bad), /bug/);
  o.services.set('default/web', good);
  await o.pass(20_000);
  assert.equal(o.line(), undefined);
  assert.ok(o.failures() > 0);
});
