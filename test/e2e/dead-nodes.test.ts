/**
 * With `dead-nodes` in the configuration, the controller tells Kubernetes within seconds that a node is dead. The EndpointSlice controller of
 * Kubernetes then sets the endpoints of this node to not ready. The controller of Bellman never says that a living node is dead. The only pool has
 * the protocol `bgp`, so the membership runs only to find dead nodes.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { LabNode } from '../../lab/fabric.ts';
import { Kubelets } from '../../lab/kubelets.ts';
import { Lab } from '../../lab/lab.ts';
import { skippedOnEmbedded } from '../../lab/start-api-server.ts';
import { annotations } from '../../src/cluster/names.ts';
import { deathTiming } from '../../src/controller/death-judge/death-judge.ts';

const rights = fileURLToPath(new URL('../../manifests/dead-nodes/', import.meta.url));
const config = `address-pools: [{name: public, protocol: bgp, addresses: [198.51.100.0/24, '2001:db8:100::/112']}]
dead-nodes: {mark-pods-not-ready: true}
`;

interface Objects {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
    readonly spec?: { readonly nodeName?: string };
    readonly status?: {
      readonly conditions?: readonly { type: string; status: string; reason?: string }[];
    };
    readonly endpoints?: readonly { readonly nodeName: string; readonly conditions: { ready: boolean } }[];
    readonly reason?: string;
    readonly involvedObject?: { readonly name: string };
  }[];
}

const skip = skippedOnEmbedded('the embedded server has no EndpointSlice controller');

describe('dead nodes', { concurrency: false, skip }, () => {
  let lab: Lab;
  let kubelets: Kubelets;
  let victim: LabNode;

  before(async () => {
    lab = await Lab.start({ nodes: 3 });
    victim = lab.node('node-3');
    kubelets = new Kubelets(lab.client);
    for (const file of ['rbac', 'admission']) await lab.kubectl('apply', '-f', `${rights}${file}.yaml`);
    await lab.configure(config);
    for (const { name } of lab.fabric.nodes) await kubelets.start(name);
    await lab.addPods('web', lab.fabric.nodes);
    await lab.applyExample('web');
    await lab.until('all nodes have ready endpoints', async () => (await readyNodes()).length === 3);
    await lab.until('each speaker hears the others, and their nodes answer questions', hearEachOther);
    await reportsAre('');
  });
  after(async () => {
    await kubelets?.close();
    await lab?.close();
  });

  async function get(...what: readonly string[]): Promise<Objects['items']> {
    return (JSON.parse(await lab.kubectl('get', ...what, '-o', 'json')) as Objects).items;
  }

  /** The nodes on which the EndpointSlices of the Service have ready endpoints. */
  async function readyNodes(): Promise<string[]> {
    const slices = await get('endpointslices', '-l', 'kubernetes.io/service-name=web');
    const ready = slices.flatMap(({ endpoints }) => endpoints ?? []).filter((each) => each.conditions.ready);
    return [...new Set(ready.map(({ nodeName }) => nodeName))].sort();
  }

  /** The nodes whose Pods the controller of Bellman has set to not ready. */
  async function markedNodes(): Promise<string[]> {
    const pods = await get('pods', '--all-namespaces');
    const marked = pods.filter(({ status }) =>
      status?.conditions?.some(({ reason }) => reason === 'BellmanNodeDead'),
    );
    return [...new Set(marked.map(({ spec }) => spec?.nodeName ?? ''))];
  }

  async function eventsOf(reason: string): Promise<string[]> {
    const events = await get('events', '-n', 'default', '--field-selector', `reason=${reason}`);
    return events.map(({ involvedObject }) => involvedObject?.name ?? '');
  }

  /** Waits until the death reports of the other two nodes name the node `dead` and no other. When `dead` is empty, they must name no node. */
  async function reportsAre(dead: string): Promise<void> {
    const expected = lab.fabric.nodes.slice(0, 2).map(({ name }) => `speaker-${name} ${dead}`);
    await lab.until(`the death reports of two nodes name "${dead}"`, async () => {
      const leases = await get('leases', '-n', 'bellman-system');
      const reports = leases.map(
        ({ metadata: { name, annotations: own } }) => `${name} ${own?.[annotations.deadNodes]}`,
      );
      return expected.every((report) => reports.includes(report));
    });
  }

  async function hearEachOther(): Promise<boolean> {
    const all = await Promise.all(lab.fabric.nodes.map(({ namespace }) => lab.status(namespace)));
    return (all as { members: readonly { state: string }[]; troubles: readonly string[] }[]).every(
      ({ members, troubles }) =>
        members.filter(({ state }) => state === 'alive').length === 2 && troubles.length === 0,
    );
  }

  /** Whether each of the other speakers has lost the speaker of the victim. */
  const isLost = () =>
    Promise.resolve(
      lab.fabric.nodes
        .slice(0, 2)
        .every(({ name }) => lab.log(`speaker-${name}`).includes(`"node":"${victim.name}","silentMs"`)),
    );

  /** How often the other two speakers have reported that nodes are dead. A report that is cleared later counts too. */
  const deathsReported = () =>
    lab.fabric.nodes
      .slice(0, 2)
      .map(({ name }) => lab.log(`speaker-${name}`).split('"msg":"nodes are dead"').length - 1);

  async function assertNothingMarked(): Promise<void> {
    assert.deepEqual(await markedNodes(), []);
    assert.deepEqual(await eventsOf('NodeDead'), []);
    assert.equal((await readyNodes()).length, 3);
  }

  test('a speaker that crashes on a living node: no Pod is marked', async () => {
    const before = deathsReported();
    // If the speaker died first, its layer-2 process would leave the membership as in a clean stop, so the layer-2 process is killed first. The
    // speaker is suspended meanwhile, because a running speaker would start a new layer-2 process.
    lab.processes.signal(`speaker-${victim.name}`, 'SIGSTOP');
    await lab.signalLayer2(victim, 'SIGKILL');
    await lab.stop(`speaker-${victim.name}`, 'SIGKILL');
    await lab.until('the other speakers lose the victim', isLost);
    await sleep(5000);
    assert.deepEqual(deathsReported(), before, 'no speaker reports a death');
    await reportsAre('');
    await assertNothingMarked();
    lab.startSpeaker(victim);
    await lab.until('the speakers hear each other again', hearEachOther);
  });

  test('a node that is cut off from the other nodes but reaches the API server: no Pod is marked, not even by the next leader', async () => {
    await lab.plugNode(victim, false);
    await reportsAre(victim.name);
    const text = 'node is reported dead, but its Pods are not marked';
    await lab.until('the controller logs that it does not mark the Pods', () =>
      Promise.resolve(lab.log('controller').includes(text)),
    );
    await sleep(5000);
    await assertNothingMarked();
    await lab.api('refuse');
    await sleep(10_000);
    const before = lab.log('controller').split(text).length;
    await lab.api('serve');
    await lab.until('the next leader logs that it does not mark the Pods either', () =>
      Promise.resolve(lab.log('controller').split(text).length > before),
    );
    await sleep(deathTiming.silenceMs + 5000);
    await assertNothingMarked();
    await lab.plugNode(victim, true);
    await lab.until('the speakers hear each other again', hearEachOther);
    await reportsAre('');
  });

  test('a node that loses power: its Pods leave the endpoints, and return when the node is back', async () => {
    await sleep(deathTiming.quietMs);
    await lab.powerOff(victim);
    kubelets.stop(victim.name);
    await lab.until('its Pods are not ready', async () => (await markedNodes()).join() === victim.name);
    await lab.until('its endpoints are gone', async () => (await readyNodes()).join() === 'node-1,node-2');
    await lab.until(
      'an event reports the death',
      async () => (await eventsOf('NodeDead')).join() === victim.name,
    );
    const status = (await lab.status(lab.fabric.control)) as {
      deadNodes?: { missingRights: readonly string[]; nodes: readonly { node: string; state: string }[] };
    };
    assert.deepEqual(status.deadNodes?.missingRights, []);
    assert.deepEqual(
      status.deadNodes?.nodes.map(({ node, state }) => `${node} ${state}`),
      [`${victim.name} marked`],
    );
    assert.match(await lab.metrics(lab.fabric.control), /bellman_controller_dead_nodes\{state="marked"\} 1/);
    await lab.powerOn(victim);
    await kubelets.start(victim.name);
    await lab.until('its Pods are ready again', async () => (await readyNodes()).length === 3);
    await lab.until(
      'an event reports the return',
      async () => (await eventsOf('NodeAlive')).join() === victim.name,
    );
    assert.deepEqual(await markedNodes(), []);
  });
});
