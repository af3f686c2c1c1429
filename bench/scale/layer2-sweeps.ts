import { annotations } from '../../src/cluster/names.ts';
import { objectKey } from '../../src/kubernetes/model.ts';
import type { CandidateNodes } from '../../src/layer2/address-entry.ts';
import { CandidateSets } from '../../src/layer2/candidate-sets.ts';
import { splitMessage } from '../../src/layer2/message-parts.ts';
import { EntryTable } from '../../src/layer2/ownership/entry-table.ts';
import { complete } from '../../src/layer2/ownership/steps.ts';
import type { KeptService } from '../../src/speaker/plan/kept-objects.ts';
import { AnnouncingReconciler } from '../../src/speaker/record/announcing-reconciler.ts';
import { Guard } from '../../src/telemetry/guard.ts';
import { Turns } from '../../src/turns.ts';
import { MemoryApi } from '../../test/support/memory-api.ts';
import { VirtualClock } from '../../test/support/virtual-clock.ts';
import { addressOf, keptServiceAt, nodeName, silent } from './fixtures.ts';
import type { Sweep, Work } from './sweep.ts';

const entryCount = 1000;

const entries = Array.from({ length: entryCount }, (_, i) => ({
  address: addressOf(i),
  sources: [1],
  group: addressOf(i),
  observedVersion: 1,
}));

const nodesOf = (count: number): CandidateNodes => ({
  candidates: Array.from({ length: count }, (_, i) => nodeName(i)),
  interfaces: [],
});

/** All entries name one set of this many nodes. */
function setsWith(nodes: number): CandidateSets {
  const sets = new CandidateSets();
  const set = { set: 1, observedVersion: 1, remove: [], put: nodesOf(nodes) };
  complete(sets.resolve({ kind: 'table', sets: [set], upsert: entries, remove: [] }));
  return sets;
}

/** The layer-2 process parses messages with entries that name one set of this many nodes, and puts the entries into its table. */
function received(nodes: number): Work {
  const sets = setsWith(nodes);
  const table = new EntryTable('node', (entry, address) => ({ entry, address }));
  const texts = [...splitMessage({ kind: 'change', sets: [], upsert: entries, remove: [] })].map((part) =>
    JSON.stringify(part),
  );
  return {
    units: entryCount,
    run: () => {
      for (const text of texts)
        for (const entry of complete(sets.resolve(JSON.parse(text))).upsert) table.put(entry);
    },
  };
}

/** A node is removed from a set or added to it, which changes all entries that name the set. */
function setChanges(nodes: number): Work {
  const sets = setsWith(nodes);
  const table = new EntryTable('node', (entry, address) => ({ entry, address }));
  const name = nodeName(0);
  let isIn = true;
  return {
    units: entryCount,
    run: () => {
      isIn = !isIn;
      const put = isIn ? { candidates: [name], interfaces: [] } : { candidates: [], interfaces: [] };
      const change = { set: 1, observedVersion: 2, remove: isIn ? [] : [name], put };
      const { upsert } = complete(sets.resolve({ kind: 'change', sets: [change], upsert: [], remove: [] }));
      for (const entry of upsert) table.put(entry);
    },
  };
}

/**
 * Lets `AnnouncingReconciler` check the announcing records every two seconds. A check skips the records that an earlier check has found right.
 * The checks before the measurement find all records right, so the measured checks compare no record. A fifth of the addresses belongs to this node.
 */
function restingSweeps(count: number): Work {
  const clock = new VirtualClock();
  const services = Array.from({ length: count }, (_, i): KeptService => {
    const service = keptServiceAt(i);
    const record = service.ingress.map(({ ip }) => `${ip}=${nodeName(i % 5)}/eth0`).join();
    return { ...service, annotations: { [annotations.announcing]: record } };
  });
  const reconciler = new AnnouncingReconciler({
    nodeName: nodeName(0),
    clock,
    client: new MemoryApi(clock),
    events: { record: () => {} },
    logger: silent,
    guard: new Guard({ logger: silent }),
    turns: new Turns(clock),
    services: new Map(services.map((service) => [objectKey(service), service])),
    isOurs: () => true,
    actsForDeadNode: () => false,
    isDead: () => false,
    claimed: () => Promise.resolve(new Set()),
    unansweredReason: () => '',
  });
  for (const [i, service] of services.entries()) {
    if (i % 5 === 0)
      for (const { ip } of service.ingress)
        reconciler.started({ address: ip, interfaces: ['eth0'], since: '' }, []);
    reconciler.serviceChanged(service);
  }
  reconciler.start();
  clock.advance(10_000);
  return { units: 1, run: () => clock.advance(2000) };
}

export const layer2Sweeps: readonly Sweep[] = [
  {
    part: 'layer 2',
    work: 'the layer-2 process receives an entry that names a candidate set',
    by: 'nodes of the set',
    kind: 'event',
    sizes: [10, 100, 1000, 5000],
    quickSizes: [10, 50, 250],
    prepare: received,
  },
  {
    part: 'layer 2',
    work: 'one node of a candidate set changes: cost for each entry that names it',
    by: 'nodes of the set',
    kind: 'event',
    sizes: [10, 100, 1000],
    quickSizes: [10, 50, 250],
    prepare: setChanges,
  },
  {
    part: 'speaker',
    work: 'check of the announcing records, all of them right',
    by: 'Services',
    kind: 'event',
    sizes: [1000, 10_000, 100_000],
    quickSizes: [200, 800, 3200],
    prepare: restingSweeps,
  },
];
