/**
 * The gate in a whole lab: whatever happens to the ConfigMap or to the processes, the router keeps its routes and no address changes.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { V1ConfigMap } from '@kubernetes/client-node';
import { kubeconfigPath, Lab } from '../../lab/lab.ts';
import { bellman } from '../../lab/program.ts';

let lab: Lab;
let v4 = '';
let v6 = '';

const config = (pools: string) => `peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1, hold-time: 90s, graceful-restart: {restart-time: 240s}}
address-pools:
${pools}`;
const whole = config('- {name: public, protocol: bgp, addresses: [198.51.100.0/24, "2001:db8:100::/112"]}\n');
const broken = whole.replace('protocol: bgp', 'protocol: carrier-pigeon');

before(async () => {
  lab = await Lab.start();
  await lab.configure(whole);
  await lab.addPods('web', lab.fabric.nodes);
  await lab.applyExample('web');
  await lab.until('web has addresses', async () => (await lab.addressesOf('web')).length === 2);
  [v4 = '', v6 = ''] = await lab.addressesOf('web');
  await lab.until('the router has all routes', () => hasRoutes());
});
after(() => lab.close());

async function nextHops(prefix: string): Promise<number> {
  try {
    return (await lab.birdc('show', 'route', prefix)).match(/\bvia\b/g)?.length ?? 0;
  } catch {
    return 0;
  }
}

async function hasRoutes(): Promise<boolean> {
  return (await nextHops(`${v4}/32`)) === 3 && (await nextHops(`${v6}/128`)) === 3;
}

/** The sessions as the router sees them. */
interface RouterView {
  /** State of each session, with its counts of updates and withdrawals. */
  readonly sessions: readonly string[];
  /** When each session was established, in milliseconds since midnight. */
  readonly upSince: readonly number[];
}

async function seenByRouter(): Promise<RouterView> {
  const text = await lab.birdc('show', 'protocols', 'all');
  const lines = text
    .split('\n')
    .filter((line) => /^node_\d|Import (updates|withdraws):/.test(line.trim()))
    .map((line) => line.trim().replace(/\s+/g, ' '));
  const time = /\d\d:\d\d:\d\d\.\d{3}/;
  return {
    sessions: lines.map((line) => line.replace(time, '')),
    upSince: lines.flatMap((line) => {
      const since = time.exec(line)?.[0];
      return since === undefined ? [] : [Date.parse(`1970-01-01T${since}Z`)];
    }),
  };
}

/** The times that BIRD prints drift by a millisecond. A restarted session is established at least a second later. */
function isSameTime(since: number, before = 0): boolean {
  return Math.abs(since - before) < 500;
}

/** Checks that no session restarted, and that the router received no update and no withdrawal. */
function assertSame(now: RouterView, before: RouterView): void {
  assert.deepEqual(now.sessions, before.sessions);
  assert.equal(now.upSince.length, 3);
  for (const [i, since] of now.upSince.entries())
    assert.ok(isSameTime(since, before.upSince[i]), `session ${i} restarted`);
}

/** Runs an action and checks throughout that the router has every route. */
async function keepingRoutes(during: () => Promise<void>): Promise<void> {
  let isOver = false;
  const losses: string[] = [];
  const watching = (async () => {
    while (!isOver) {
      for (const prefix of [`${v4}/32`, `${v6}/128`])
        if ((await nextHops(prefix)) < 3) losses.push(`${prefix}: ${await nextHops(prefix)} next hops`);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  })();
  try {
    await during();
  } finally {
    isOver = true;
    await watching;
  }
  assert.deepEqual(losses, []);
}

/** An annotation of the ConfigMap, or an empty text when the ConfigMap lacks the annotation. */
async function annotation(name: string): Promise<string> {
  const { metadata } = await lab.client.request<V1ConfigMap>({
    method: 'GET',
    path: '/api/v1/namespaces/bellman-system/configmaps/config',
  });
  return metadata?.annotations?.[`bellman.dev/${name}`] ?? '';
}

const state = () => annotation('config-status');

async function becomes(status: string): Promise<void> {
  await lab.until(`the configuration is ${status}`, async () => (await state()) === status);
}

/** How often events with this reason were recorded. A repeated event has a series. */
async function eventsOf(reason: string): Promise<number> {
  const flags = ['-n', 'bellman-system', '--field-selector', `reason=${reason}`, '-o', 'json'];
  const { items } = JSON.parse(await lab.kubectl('get', 'events', ...flags)) as {
    readonly items: readonly { readonly series?: { readonly count: number } }[];
  };
  return items.reduce((sum, { series }) => sum + (series?.count ?? 1), 0);
}

/** Writes a configuration, and waits until the controller has accepted it and every speaker uses it. */
async function configureAndUse(text: string): Promise<void> {
  await lab.configure(text);
  await lab.until('the text is accepted', async () => (await annotation('accepted-config')) === text);
  const hash = await annotation('accepted-hash');
  for (const { name, namespace } of lab.fabric.nodes)
    await lab.until(`the speaker of ${name} uses the text`, async () => {
      const { config } = (await lab.status(namespace)) as { readonly config?: { readonly hash: string } };
      return config?.hash === hash;
    });
}

/** Runs an action that must not change the router's view or the addresses. */
async function changingNothing(during: () => Promise<void>): Promise<void> {
  const before = await seenByRouter();
  await during();
  assertSame(await seenByRouter(), before);
  assert.deepEqual(await lab.addressesOf('web'), [v4, v6]);
}

/** How often a text is in the log of a process, across its restarts. */
const countIn = (name: string, text: string) => lab.log(name).split(text).length - 1;

const speakers = () => lab.fabric.nodes.map(({ name }) => `speaker-${name}`);
async function kill(...names: string[]): Promise<void> {
  await Promise.all(names.map((name) => lab.stop(name, 'SIGKILL')));
}
async function startSpeakers(): Promise<void> {
  for (const node of lab.fabric.nodes) lab.startSpeaker(node);
}

/** Kills the speakers and other processes, runs an action that starts them again, and waits until the router has new sessions with all routes. */
async function replacing(others: readonly string[], startAgain: () => Promise<void>): Promise<void> {
  const before = await seenByRouter();
  await kill(...others, ...speakers());
  await startAgain();
  await lab.until('every session is established again', async () => {
    const { sessions, upSince } = await seenByRouter();
    const established = sessions.filter((line) => line.includes('Established'));
    // The router may not yet know that the earlier sessions are gone.
    const areNew = upSince.every((since, i) => !isSameTime(since, before.upSince[i]));
    return established.length === 3 && areNew && (await hasRoutes());
  });
}

describe('the gate under faults', { concurrency: false }, () => {
  test('neither an invalid edit nor its revert changes anything at the router', () =>
    changingNothing(async () => {
      await lab.configure(broken);
      await becomes('stale');
      await lab.configure(whole);
      await becomes('active');
    }));

  test('the rejection of an edit that would orphan addresses names each Service and address', () =>
    changingNothing(async () => {
      await lab.configure(config('- {name: public, protocol: bgp, addresses: [203.0.113.0/24]}\n'));
      await becomes('stale');
      await lab.until('the event names the Service and its addresses', async () => {
        const inNamespace = ['-n', 'bellman-system', '--field-selector', 'reason=ConfigStale'];
        const events = await lab.kubectl('get', 'events', ...inNamespace);
        return ['default/web', v4, v6].every((named) => events.includes(named));
      });
      await lab.configure(whole);
      await becomes('active');
    }));

  test('splitting, renaming and draining a pool moves no address', () =>
    changingNothing(async () => {
      await configureAndUse(
        config(`- {name: low, protocol: bgp, addresses: [198.51.100.0/25], draining: true}
- {name: high, protocol: bgp, addresses: [198.51.100.128/25]}
- {name: six, protocol: bgp, addresses: ["2001:db8:100::/112"]}
`),
      );
      await configureAndUse(whole);
    }));

  test('deleting the ConfigMap and creating it again changes nothing at the router', () =>
    changingNothing(async () => {
      const missing = 'there is no ConfigMap config';
      const earlier = countIn('controller', missing);
      await lab.kubectl('delete', 'configmap', 'config', '-n', 'bellman-system');
      await lab.until(
        'the controller reports the missing ConfigMap',
        async () => countIn('controller', missing) > earlier,
      );
      await lab.configure(whole);
      await becomes('active');
    }));

  test('a controller that restarts while the ConfigMap is stale still assigns addresses to new Services', () =>
    changingNothing(async () => {
      await lab.configure(broken);
      await becomes('stale');
      await kill('controller');
      lab.startController();
      await lab.applyExample('late');
      await lab.until('late has addresses', async () => (await lab.addressesOf('late')).length === 2);
      await lab.kubectl('delete', 'service', 'late');
      assert.equal(await state(), 'stale');
    }));

  test('the router keeps every route when speakers restart while the ConfigMap is stale and no controller runs', async () => {
    assert.equal(await state(), 'stale');
    await kill('controller');
    await keepingRoutes(() => replacing([], startSpeakers));
    lab.startController();
    assert.deepEqual(await lab.addressesOf('web'), [v4, v6]);
  });

  test('the router keeps every route and no address changes when all processes restart while the ConfigMap is stale', async () => {
    assert.equal(await state(), 'stale');
    await keepingRoutes(() =>
      replacing(['controller'], async () => {
        await startSpeakers();
        lab.startController();
      }),
    );
    assert.deepEqual(await lab.addressesOf('web'), [v4, v6]);
  });

  test('the router keeps every route when all processes restart during an outage of the API server', async () => {
    await lab.api('refuse');
    await keepingRoutes(() =>
      replacing(['controller'], async () => {
        // The killed speaker may have reported the outage too.
        const earlier = countIn('speaker-node-1', 'not reached');
        await startSpeakers();
        lab.startController();
        await lab.until(
          'a speaker reports the outage',
          async () => countIn('speaker-node-1', 'not reached') > earlier,
        );
        await lab.api('serve');
      }),
    );
    assert.deepEqual(await lab.addressesOf('web'), [v4, v6]);
  });

  test('after a revert of the broken text the status is active, and events tell of the rejection and of the acceptance', async () => {
    const accepted = await eventsOf('ConfigAccepted');
    const rejected = await eventsOf('ConfigStale');
    // The ConfigMap still holds the broken text of the tests above. So this test reverts to `whole` twice, and each revert is accepted.
    await lab.configure(whole);
    await becomes('active');
    await lab.configure(broken);
    await becomes('stale');
    await lab.configure(whole);
    await becomes('active');
    const described = await lab.kubectl('describe', 'configmap', 'config', '-n', 'bellman-system');
    assert.match(described, /config-status: active/);
    await lab.until(
      'two more events ConfigAccepted and one more ConfigStale',
      async () =>
        (await eventsOf('ConfigAccepted')) === accepted + 2 &&
        (await eventsOf('ConfigStale')) === rejected + 1,
    );
  });

  test('an accepted configuration that overlaps the addresses of nodes has a warning, until an edit ends the overlap', () =>
    changingNothing(async () => {
      const node = lab.fabric.nodes[0]?.addresses[0];
      await lab.configure(`${whole}- {name: careless, protocol: none, addresses: [${node}/32]}\n`);
      await lab.until('the annotation names the address of the node', async () =>
        (await annotation('cluster-warnings')).includes(`${node} is the address of node`),
      );
      assert.equal(await state(), 'active');
      const { namespace } = lab.node('node-1');
      const command = [bellman, 'status', '--problems', '--kubeconfig', kubeconfigPath];
      assert.match(
        await namespace.exec('sh', '-c', `${command.join(' ')} || true`),
        /^warning: address-pools\[1\]\.addresses\[0\]: .* is the address of node node-1$/m,
      );
      await lab.configure(whole);
      await lab.until('the warning ends', async () => (await annotation('cluster-warnings')) === '');
    }));
});
