import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { EventRecord } from '../../../src/kubernetes/events.ts';
import type { Service } from '../../../src/kubernetes/model.ts';
import { isDeputyFor } from '../../../src/speaker/deputy.ts';
import { OwnershipRecord } from '../../../src/speaker/ownership-record.ts';
import { MemoryApi } from '../../support/memory-api.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass, settle } from '../../support/virtual-run.ts';
import { service } from './fixtures.ts';

const annotation = 'bellman.dev/announcing';
const path = '/api/v1/namespaces/default/services/web';

/** One node's record of the Service default/web, whose address is 192.0.2.241. */
function setUp(line: string | undefined, over: Partial<Service> = {}, gone: readonly string[] = []) {
  const api = new MemoryApi();
  const clock = new VirtualClock();
  const events: EventRecord[] = [];
  const services = new Map<string, Service>();
  const see = () => {
    const { annotations = {}, resourceVersion = '' } = api.get(path)?.metadata ?? {};
    services.set('default/web', service('web', ['192.0.2.241'], { ...over, annotations, resourceVersion }));
  };
  api.put(path, {
    metadata: {
      name: 'web',
      namespace: 'default',
      annotations: line === undefined ? {} : { [annotation]: line },
    },
  });
  see();
  const record = new OwnershipRecord({
    nodeName: 'node-1',
    clock,
    client: api,
    events: { record: (event) => void events.push(event) },
    logger: pino({ level: 'silent' }),
    services,
    isOurs: () => true,
    speaksFor: (node) => gone.includes(node),
    whyNobody: () => 'because',
  });
  record.start();
  return {
    api,
    record,
    services,
    see,
    said: () => events.splice(0).map(({ reason, message }) => `${reason} ${message}`),
    line: () => api.get(path)?.metadata.annotations?.[annotation],
    writes: () => api.writes.length,
    pass: async (ms: number) => {
      await pass(clock, ms);
      await settle();
    },
    begin: () =>
      record.started(
        { address: '192.0.2.241', interfaces: ['eth0'], since: '' },
        [...services.values()].slice(0, 1),
      ),
  };
}

test('OwnershipRecord writes who answers, once, with an event', async () => {
  const o = setUp('192.0.2.241=node-2/eth0');
  o.begin();
  await o.pass(0);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0');
  assert.deepEqual(o.said(), ['NodeAssigned node node-1 answers for 192.0.2.241 on eth0']);
  o.see();
  await o.pass(60_000);
  assert.equal(o.writes(), 1);
});

test('OwnershipRecord leaves a line that another node writes over its own, and writes it ever more seldom', async () => {
  const o = setUp(undefined);
  o.begin();
  await o.pass(0);
  let contested = 0;
  for (let second = 0; second < 3600; second++) {
    if (o.line() === '192.0.2.241=node-1/eth0') {
      contested++;
      o.api.put(path, {
        metadata: {
          name: 'web',
          namespace: 'default',
          annotations: { [annotation]: '192.0.2.241=node-3/eth0' },
        },
      });
    }
    o.see();
    const web = o.services.get('default/web');
    if (web) o.record.serviceChanged(web);
    await o.pass(1000);
  }
  assert.ok(contested >= 8 && contested <= 13, `${contested} times in an hour`);
  o.begin();
  await o.pass(0);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0', 'who begins anew writes at once');
});

test('OwnershipRecord takes its own line out when nobody has followed it for a while', async () => {
  const o = setUp('192.0.2.241=node-1/eth0');
  o.begin();
  await o.pass(20_000);
  assert.equal(o.writes(), 0);
  o.record.stopped('192.0.2.241');
  await o.pass(7000);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0');
  await o.pass(8000);
  assert.equal(o.line(), undefined);
  assert.deepEqual(o.said(), ['NodeUnassigned no node answers for 192.0.2.241 any more: because']);
  o.see();
  const written = o.writes();
  await o.pass(60_000);
  assert.equal(o.writes(), written);
  assert.deepEqual(o.said(), []);
});

test('OwnershipRecord leaves the line to a successor, and keeps it when this node answers again in time', async () => {
  const o = setUp('192.0.2.241=node-1/eth0');
  o.begin();
  await o.pass(1000);
  o.record.stopped('192.0.2.241');
  await o.pass(5000);
  o.begin();
  await o.pass(5000);
  o.record.stopped('192.0.2.241');
  await o.pass(6000);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0');
  const successor = setUp('192.0.2.241=node-2/eth0');
  await successor.pass(60_000);
  assert.equal(successor.writes(), 0);
});

test('OwnershipRecord speaks for a node that is gone when that falls to it', async () => {
  const o = setUp('192.0.2.241=node-9/eth0', {}, ['node-9']);
  await o.pass(20_000);
  assert.equal(o.line(), undefined);
});

test('OwnershipRecord clears a line for an address that the Service had, and of a Service that is no LoadBalancer', async () => {
  const moved = setUp('192.0.2.9=node-1/eth0,192.0.2.241=node-2/eth0');
  await moved.pass(20_000);
  assert.equal(moved.line(), '192.0.2.241=node-2/eth0');
  const plain = setUp('192.0.2.241=node-1/eth0', { type: 'ClusterIP', ingress: [] });
  await plain.pass(20_000);
  assert.equal(plain.line(), undefined);
});

test('OwnershipRecord gives a successor its time after the API server was away', async () => {
  const o = setUp('192.0.2.241=node-1/eth0');
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

test('OwnershipRecord writes over a newer version of the Service only after it has seen it', async () => {
  const o = setUp('192.0.2.241=node-1/eth0');
  const stale = o.services.get('default/web');
  assert.ok(stale);
  o.services.set('default/web', { ...stale, resourceVersion: '1' });
  await o.pass(20_000);
  assert.equal(o.line(), '192.0.2.241=node-1/eth0');
  o.see();
  await o.pass(60_000);
  assert.equal(o.line(), undefined);
});

test('isDeputyFor() names one node of those alive, and none in a minority while Kubernetes says nothing', () => {
  const members = (text: string) =>
    text.split(' ').map((each) => {
      const [node = '', state = 'alive'] = each.split('=');
      return { node, state: state as 'alive' | 'suspect' | 'dead' | 'left' };
    });
  const cases: readonly (readonly [string, string, string, boolean, boolean])[] = [
    // node, self, the others, Kubernetes calls the node out, verdict
    ['c', 'a', 'b c=dead', false, true],
    ['c', 'b', 'a c=dead', false, false],
    ['c', 'a', 'b c=suspect', false, false],
    ['a', 'a', 'b c', true, false],
    ['c', 'b', 'a=dead c=dead', false, false],
    ['c', 'b', 'a=dead c=dead', true, true],
    ['c', 'a', 'b c=left', false, true],
    ['z', 'a', 'b c', false, true],
    ['b', 'a', 'b=dead', false, false],
    ['b', 'a', 'b=dead', true, true],
  ];
  for (const [node, self, others, isOut, verdict] of cases)
    assert.equal(
      isDeputyFor(node, { self, members: members(others), isOut: () => isOut }),
      verdict,
      `${node} by ${self}, others ${others}`,
    );
});
