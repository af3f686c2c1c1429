/**
 * A node leaves and returns: by each signal with BIRD on the router, by two signals with FRR, and by one in layer 2. No datagram may be lost. When
 * the speaker of a drained node ends, FRR keeps no route of the node, not even with graceful restart.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { LabNode } from '../../lab/fabric.ts';
import { kubeconfigPath, type Lab } from '../../lab/lab.ts';
import { bellman } from '../../lab/program.ts';
import { untilOwner } from '../../lab/steps.ts';
import {
  bird,
  cordon,
  drainConfig,
  frr,
  frrRoute,
  type Router,
  rebootTaint,
  replaceBirdByFrr,
  type Signal,
  signals,
  startDrainLab,
} from '../support/drain.ts';
import { assertNoDatagramLost } from '../support/handover.ts';
import { vtysh } from '../support/lab-frr.ts';
import { nextHops } from '../support/next-hops.ts';
import { sessionOf } from './bfd-fixtures.ts';

interface EventList {
  readonly items: readonly {
    readonly involvedObject: { readonly name: string };
    /** A repeated event has a series. */
    readonly series?: { readonly count: number };
  }[];
}

describe('a node that leaves', { concurrency: false }, () => {
  let lab: Lab;
  let routed = '';
  let local = '';
  let first: LabNode;
  /** Hash of the configuration with the short drain delay. */
  let shortDrain = '';

  before(async () => {
    ({ lab, routed, local } = await startDrainLab());
    const [node] = lab.fabric.nodes;
    assert.ok(node);
    first = node;
    await lab.until('all nodes announce web', () => hasNextHops(3));
    shortDrain = await configOf(first);
  });
  after(() => lab?.close());

  const hasNextHops = async (count: number) => (await nextHops(lab, routed)).length === count;

  /** Lets the node leave by the signal, and lets it return when the router has no route from it. */
  async function leaveAndReturn(router: Router, signal: Signal): Promise<void> {
    await signal.begin(lab, first);
    await lab.until('the router sends nothing to the node', () => hasNextHops(2));
    assert.ok(!(await nextHops(lab, routed)).includes(first.addresses[0]));
    await lab.until(
      'the router has no route from the node',
      async () => !(await router.hasRoute(lab, routed, first)),
    );
    await signal.end(lab, first);
    await lab.until('all nodes announce web again', () => hasNextHops(3));
  }

  /**
   * Drains the node with a long delay. Checks that the router meanwhile keeps the marked route and prefers those of the other nodes, and that the
   * session stays up.
   */
  async function drainForLong(router: Router): Promise<void> {
    await reconfigure({ drainDelaySeconds: 3600 });
    const before = await sessionOf(lab, first);
    await rebootTaint.begin(lab, first);
    await lab.until('the router sends nothing to the node', () => hasNextHops(2));
    assert.ok(await router.hasRoute(lab, routed, first));
    assert.ok(await router.hasMarkedRoute(lab, routed));
    await rebootTaint.end(lab, first);
    await lab.until('all nodes announce web again', () => hasNextHops(3));
    assert.equal(await router.hasMarkedRoute(lab, routed), false);
    const after = await sessionOf(lab, first);
    assert.deepEqual([after?.state, after?.since], ['Established', before?.since]);
    await configureAsBefore();
  }

  async function reconfigure(options: Parameters<typeof drainConfig>[0]): Promise<void> {
    await lab.configure(drainConfig(options));
    await lab.until('the speaker has the configuration', async () => (await configOf(first)) !== shortDrain);
  }

  async function configureAsBefore(): Promise<void> {
    await lab.configure(drainConfig());
    await lab.until(
      'the speaker has the first configuration',
      async () => (await configOf(first)) === shortDrain,
    );
  }

  test('during the drain delay BIRD keeps the marked route and prefers the routes of other nodes', () =>
    assertNoDatagramLost(lab, routed, () => drainForLong(bird), lab.fabric.far));

  for (const signal of signals)
    test(`by ${signal.name}, with BIRD on the router: no datagram is lost`, () =>
      assertNoDatagramLost(lab, routed, () => leaveAndReturn(bird, signal), lab.fabric.far));

  test('in layer 2, by the annotation: no datagram is lost, and another node answers', async () => {
    const owner = await untilOwner(lab, local);
    const [annotation] = signals;
    assert.ok(annotation);
    await assertNoDatagramLost(lab, local, async () => {
      await annotation.begin(lab, owner);
      await untilOwner(lab, local, owner);
      await annotation.end(lab, owner);
      await lab.until('the node has returned', async () => (await leavingOf(owner)) === undefined);
    });
  });

  test('bellman drain --wait ends when the node announces nothing, and bellman undrain ends the drain', async () => {
    const run = (...args: readonly string[]) =>
      lab.fabric.control.exec(bellman, ...args, '--kubeconfig', kubeconfigPath);
    const output = await run('drain', first.name, '--wait', '--timeout', '300', '--reason', 'new kernel');
    assert.match(output, /leaves: new kernel/);
    assert.match(output, /the node announces nothing\n$/);
    assert.equal(await bird.hasRoute(lab, routed, first), false);
    assert.equal((await leavingOf(first))?.cause, 'maintenance');
    const status = await run('status').catch(({ stdout }: { stdout: string }) => stdout);
    assert.match(status, /NODE +LEAVING +SINCE[^\n]*\nnode-1 +maintenance /);
    assert.match(
      await lab.metrics(first.namespace),
      /bellman_node_leaving\{node="node-1",reason="maintenance"\} 1/,
    );
    await run('undrain', first.name);
    await lab.until('all nodes announce web again', () => hasNextHops(3));
    assert.doesNotMatch(await lab.metrics(first.namespace), /bellman_node_leaving\{/);
  });

  for (const signal of [rebootTaint, cordon])
    test(`all nodes leave by ${signal.name}: the only effect is an event on each`, async () => {
      const blocked = await eventsOf('DrainBlocked');
      const returned = await eventsOf('NodeReturned');
      await assertNoDatagramLost(
        lab,
        routed,
        async () => {
          for (const node of lab.fabric.nodes) await signal.begin(lab, node);
          await lab.until('every node has an event', () => hasMoreOnEach('DrainBlocked', blocked));
          for (const node of lab.fabric.nodes)
            await lab.until(`${node.name} keeps the route and drains nothing`, async () => {
              const leaving = await leavingOf(node);
              return leaving?.draining.length === 0 && leaving.heldByFloor.includes(routed);
            });
          await lab.until('one node keeps answering in layer 2', async () => {
            const leaving = await Promise.all(lab.fabric.nodes.map(leavingOf));
            return leaving.filter((each) => each?.heldByFloor.includes(local)).length === 1;
          });
          await lab.until('all nodes announce web', () => hasNextHops(3));
          await untilOwner(lab, local);
          for (const node of lab.fabric.nodes) await signal.end(lab, node);
          for (const node of lab.fabric.nodes)
            await lab.until(`${node.name} has returned`, async () => (await leavingOf(node)) === undefined);
        },
        lab.fabric.far,
      );
      await lab.until('every node has an event of its return', () => hasMoreOnEach('NodeReturned', returned));
    });

  describe('with FRR on the router', { concurrency: false }, () => {
    before(async () => {
      await replaceBirdByFrr(lab);
      await lab.until('all nodes announce web', () => hasNextHops(3));
    });

    test('during the drain delay FRR keeps the marked route and prefers the routes of other nodes', () =>
      assertNoDatagramLost(lab, routed, () => drainForLong(frr), lab.fabric.far));

    for (const signal of signals.slice(0, 2))
      test(`by ${signal.name}: no datagram is lost`, () =>
        assertNoDatagramLost(lab, routed, () => leaveAndReturn(frr, signal), lab.fabric.far));
  });

  describe('with FRR that keeps routes during a graceful restart', { concurrency: false }, () => {
    const speaker = () => `speaker-${first.name}`;
    const isStale = async () => (await frrRoute(lab, routed)).includes('"stale":true');

    before(async () => {
      await reconfigure({ drainDelaySeconds: 3600, gracefulRestart: true });
      // The edit restarts the sessions of all nodes, but not all at the same time.
      for (const node of lab.fabric.nodes)
        await lab.until(`FRR has negotiated RFC 8538 with ${node.name}`, async () => {
          const { capabilities = [], state } = (await sessionOf(lab, node)) ?? {};
          return state === 'Established' && capabilities.includes('graceful-restart');
        });
      await lab.until('all nodes announce web', () => hasNextHops(3));
    });

    test('FRR keeps the routes of a speaker that restarts: no datagram is lost', () =>
      assertNoDatagramLost(
        lab,
        routed,
        async () => {
          await lab.stop(speaker());
          await lab.until('FRR has stale routes', isStale);
          assert.ok(await hasNextHops(3));
          lab.startSpeaker(first);
          await lab.until('FRR has no stale route', async () => !(await isStale()));
        },
        lab.fabric.far,
      ));

    test('a speaker that ends on a drained node sends a Hard Reset, and FRR keeps none of its routes: no datagram is lost', () =>
      assertNoDatagramLost(
        lab,
        routed,
        async () => {
          await rebootTaint.begin(lab, first);
          await lab.until('the router sends nothing to the node', () => hasNextHops(2));
          assert.ok(await frr.hasRoute(lab, routed, first));
          await lab.stop(speaker());
          await lab.until(
            'FRR has no route from the node',
            async () => !(await frr.hasRoute(lab, routed, first)),
          );
          const [address] = first.addresses;
          const seen = JSON.parse(await vtysh(lab, `show bgp neighbors ${address} json`))[address];
          assert.equal(seen.lastNotificationReason, 'Cease/Administrative Shutdown');
          assert.equal(seen.lastNotificationHardReset, true);
          assert.equal(seen.lastShutdownDescription, `node drain: ${first.name}`);
          await rebootTaint.end(lab, first);
          lab.startSpeaker(first);
          await lab.until('all nodes announce web again', () => hasNextHops(3));
        },
        lab.fabric.far,
      ));
  });

  /** Hash of the configuration that the speaker runs. */
  async function configOf({ namespace }: LabNode): Promise<string> {
    return ((await lab.status(namespace)) as { readonly config: { readonly hash: string } }).config.hash;
  }

  interface Leaving {
    readonly cause: string;
    readonly draining: readonly string[];
    readonly heldByFloor: readonly string[];
  }

  async function leavingOf({ namespace }: LabNode): Promise<Leaving | undefined> {
    return ((await lab.status(namespace)) as { readonly leaving?: Leaving }).leaving;
  }

  /** How often events with this reason were recorded, by node. */
  async function eventsOf(reason: string): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    const text = await lab.kubectl('get', 'events', '--field-selector', `reason=${reason}`, '-o', 'json');
    for (const { involvedObject, series } of (JSON.parse(text) as EventList).items)
      counts.set(involvedObject.name, (counts.get(involvedObject.name) ?? 0) + (series?.count ?? 1));
    return counts;
  }

  /** Whether each node has more events with this reason than before. */
  async function hasMoreOnEach(reason: string, before: ReadonlyMap<string, number>): Promise<boolean> {
    const now = await eventsOf(reason);
    return lab.fabric.nodes.every(({ name }) => (now.get(name) ?? 0) > (before.get(name) ?? 0));
  }
});
