/**
 * Bellman in a complete Kubernetes cluster, with kubelets and containers. The test installs it as a user does, from the image, with the manifests
 * or the chart. `make cluster` runs the test. The variable BELLMAN_CLUSTER_INSTALL chooses `kubectl` (manifests) or `helm` (chart).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { backend } from '../../lab/cluster/backend.ts';
import { Cluster } from '../../lab/cluster/cluster.ts';
import type { NetworkNamespace } from '../../lab/netns.ts';
import { probeHttp } from '../../lab/probe.ts';
import { root } from '../../scripts/target.ts';
import { version } from '../../src/version.ts';

const run = promisify(execFile);
const installer = process.env.BELLMAN_CLUSTER_INSTALL || 'kubectl';
const namespace = 'bellman-system';
const nodeCount = 3;
const image = `bellman:${version}`;
const manifests = join(root, 'manifests');
const exampleConfig = join(root, 'lab/examples/config.yaml');

const started = performance.now();
/** Prints progress at once, because the test takes minutes. */
function say(text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${seconds.padStart(6)} s  ${text.trimEnd().replaceAll('\n', '\n          ')}`);
}

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly containerStatuses?: readonly {
      readonly ready: boolean;
      readonly started: boolean;
      readonly restartCount: number;
      readonly imageID: string;
    }[];
  };
}

let cluster: Cluster;
/** Addresses of each Service, IPv4 first. */
const serviceAddresses = new Map<string, readonly string[]>();

async function pods(component: string): Promise<readonly Pod[]> {
  const selector = `app.kubernetes.io/name=bellman,app.kubernetes.io/component=${component}`;
  const text = await cluster.kubectl('get', 'pods', '-n', namespace, '-l', selector, '-o', 'json');
  return (JSON.parse(text) as { readonly items: readonly Pod[] }).items;
}

async function helm(...args: string[]): Promise<void> {
  const settings = ['--namespace', namespace, '--kubeconfig', cluster.kubeconfig];
  await run(process.env.HELM ?? 'helm', [...args, ...settings]);
}

async function install(): Promise<void> {
  if (installer === 'helm') await helm('install', 'bellman', join(manifests, 'chart'), '--create-namespace');
  else await cluster.kubectl('apply', '-k', manifests);
}

async function uninstall(): Promise<void> {
  cluster.expectRefusals();
  if (installer === 'helm') await helm('uninstall', 'bellman', '--wait');
  else await cluster.kubectl('delete', '-k', manifests);
}

/** The ids of all processes of Bellman in the Pods. */
function processesOf(found: readonly Pod[]): readonly number[] {
  const read = (pid: string, file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'utf8');
    } catch {
      // The process has ended.
      return '';
    }
  };
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter(
      (pid) =>
        found.some(({ metadata }) => read(pid, 'cgroup').includes(metadata.uid)) &&
        read(pid, 'cmdline').includes('/usr/lib/bellman/'),
    )
    .map(Number);
}

function fetchFrom(host: NetworkNamespace, address: string): Promise<string> {
  const url = `http://${address.includes(':') ? `[${address}]` : address}/`;
  return host.exec('curl', '-sS', '-g', '--max-time', '2', url);
}

async function establishedSessions(): Promise<number> {
  return (await cluster.birdc('show', 'protocols')).match(/Established/g)?.length ?? 0;
}

/**
 * Sends requests to the addresses of the Services `web` and `printer` while `work` runs. Then prints how many were not answered, and waits until
 * each of these addresses is answered again. On a busy machine requests are lost without a fault, so the test requires only that most are answered.
 */
async function underTraffic(what: string, work: () => Promise<void>): Promise<void> {
  const { far, near } = cluster.fabric;
  const clients = (
    [
      ['web', far],
      ['printer', near],
    ] as const
  ).flatMap(([service, host]) => (serviceAddresses.get(service) ?? []).map((address) => ({ address, host })));
  assert.equal(clients.length, 4);
  const probes = clients.map(({ host, address }) => ({ address, probe: probeHttp(host, address) }));
  await Promise.all(probes.map(({ probe }) => probe.ready));
  const from = performance.now();
  try {
    await work();
  } finally {
    const seconds = ((performance.now() - from) / 1000).toFixed(1);
    const results = await Promise.all(
      probes.map(async ({ address, probe }) => ({ address, ...(await probe.stop()) })),
    );
    say(`${what} took ${seconds} s; requests every 10 ms, each on a new connection:`);
    for (const { address, asked, answered, longestGapMs, failures } of results) {
      const share = ((100 * (asked - answered)) / asked).toFixed(2);
      const causes = Object.entries(failures).map(([cause, count]) => `, ${count} ${cause}`);
      const lost = `${asked - answered} not answered (${share} %${causes.join('')})`;
      say(`${address}: ${asked} requests, ${lost}, longest gap ${longestGapMs} ms`);
      assert.ok(answered > asked / 2, `${address} was answered most of the time`);
    }
  }
  for (const { address, host } of clients)
    await cluster.until(`${address} answers`, async () =>
      (await fetchFrom(host, address)).includes(' on node-'),
    );
}

/** Restarts all Pods of a DaemonSet or Deployment, and resolves once the new ones are ready. */
async function rollOut(what: string): Promise<void> {
  await cluster.kubectl('rollout', 'restart', '-n', namespace, what);
  await cluster.kubectl('rollout', 'status', '-n', namespace, what, '--timeout', '300s');
}

/** Resolves once the Service has an address of each family. */
async function addressesOf(service: string): Promise<readonly string[]> {
  let found: readonly string[] = [];
  await cluster.until(`${service} has two addresses`, async () => {
    const path = 'jsonpath={.status.loadBalancer.ingress[*].ip}';
    found = (await cluster.kubectl('get', 'service', service, '-o', path)).split(' ');
    return found.length === 2;
  });
  say(`${service} has ${found.join(' and ')}`);
  serviceAddresses.set(service, found);
  return found;
}

describe(`Bellman in a cluster, installed with ${installer}`, { concurrency: false }, () => {
  before(async () => {
    say(`starting a control plane and ${nodeCount} nodes`);
    cluster = await Cluster.start(nodeCount);
    say(await cluster.kubectl('get', 'nodes', '-o', 'wide'));
  });
  after(async () => {
    await cluster?.close();
  });

  test('every Pod of the DaemonSet and of the Deployment becomes ready at its first start', async () => {
    await install();
    await cluster.kubectl('apply', '-f', exampleConfig);
    const wanted = { speaker: nodeCount, controller: 2 };
    for (const [component, count] of Object.entries(wanted))
      await cluster.until(`${count} Pods ${component} are ready`, async () => {
        const statuses = (await pods(component)).flatMap(({ status }) => status.containerStatuses ?? []);
        return statuses.filter(({ ready, started: probed }) => ready && probed).length === count;
      });
    say(await cluster.kubectl('get', 'pods', '-n', namespace, '-o', 'wide'));
    for (const component of Object.keys(wanted)) {
      const found = await pods(component);
      const restarts = found.flatMap(({ status }) => status.containerStatuses ?? []);
      assert.deepEqual(
        restarts.map(({ restartCount }) => restartCount),
        found.map(() => 0),
        'the startup probe waits long enough',
      );
      assert.equal(new Set(found.map(({ spec }) => spec.nodeName)).size, found.length, 'one Pod per node');
    }
  });

  test('speakers have only NET_RAW, controllers have no capability, and both have no_new_privs, a read-only root and a seccomp filter', async () => {
    const netRaw = (1 << 13).toString(16).padStart(16, '0');
    const none = ''.padStart(16, '0');
    for (const [component, capabilities, uid] of [
      ['speaker', netRaw, '0'],
      ['controller', none, '65532'],
    ] as const) {
      const found = await pods(component);
      const pids = processesOf(found);
      const statuses = pids.map((pid) => readFileSync(`/proc/${pid}/status`, 'utf8'));
      assert.ok(pids.length >= found.length, `processes of each ${component}`);
      for (const status of statuses) {
        for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
          assert.match(status, new RegExp(`^${set}:\\t0*${capabilities}$`, 'm'), component);
        assert.match(status, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t`, 'm'), component);
        assert.match(status, /^NoNewPrivs:\t1$/m, component);
        assert.match(status, /^Seccomp:\t2$/m, component);
      }
      for (const pid of pids)
        assert.match(
          readFileSync(`/proc/${pid}/mountinfo`, 'utf8'),
          /^\d+ \d+ \S+ \S+ \/ ro[, ]/m,
          `${component} cannot write to its root`,
        );
      say(
        `${statuses.length} processes of ${component}: uid ${uid}, capabilities 0x${capabilities}, root read-only`,
      );
    }
  });

  test('Pods on all nodes answer a client behind the router at the addresses of a BGP pool', async () => {
    const { far } = cluster.fabric;
    await cluster.until(`${nodeCount} sessions`, async () => (await establishedSessions()) === nodeCount);
    say((await cluster.birdc('show', 'protocols')).replace(/^[\s\S]*?(?=Name)/, ''));
    await cluster.apply('web', ...backend('web', 'public', image, nodeCount));
    for (const address of await addressesOf('web')) {
      const names = new Set<string>();
      await cluster.until(`Pods on all nodes answer at ${address}`, async () => {
        const answer = await fetchFrom(far, address);
        names.add(/ on (node-\d+)/.exec(answer)?.[1] ?? answer);
        return names.size === nodeCount;
      });
      say(`${address} answers from ${[...names].sort().join(', ')}`);
    }
  });

  test('one node answers on the segment for each address of a layer-2 pool', async () => {
    const { near } = cluster.fabric;
    await cluster.apply('printer', ...backend('printer', 'office', image, nodeCount));
    for (const address of await addressesOf('printer')) {
      await cluster.until(`${address} answers`, async () =>
        (await fetchFrom(near, address)).startsWith('printer-'),
      );
      const [entry] = JSON.parse(await near.ip('-j', 'neigh', 'show', address)) as { lladdr?: string }[];
      const macs = await Promise.all(
        cluster.fabric.nodes.map(async ({ name, namespace: host }) => {
          const [link] = JSON.parse(await host.ip('-j', 'link', 'show', 'eth0')) as { address: string }[];
          return { name, mac: link?.address };
        }),
      );
      const owner = macs.find(({ mac }) => mac !== undefined && mac === entry?.lladdr);
      assert.ok(owner, `the answer for ${address} comes from a node`);
      say(`${address} is at ${entry?.lladdr}, ${owner.name}`);
    }
  });

  test('bellman status works in the Pods of both components', async () => {
    for (const where of ['daemonset/speaker', 'deployment/controller']) {
      const status = await cluster.kubectl('exec', '-n', namespace, where, '--', 'bellman', 'status');
      for (const { name } of cluster.fabric.nodes) assert.match(status, new RegExp(name), where);
      for (const address of serviceAddresses.get('web') ?? []) assert.ok(status.includes(address), status);
      if (where.startsWith('daemonset')) say(status);
    }
  });

  test('kubectl exec fetches the plugin of kubectl', async () => {
    const plugin = await cluster.kubectl(
      ...['exec', '-n', namespace, 'deployment/controller', '--', 'bellman', 'plugin'],
    );
    assert.equal(plugin.trimEnd(), readFileSync(join(root, 'bin/kubectl-bellman'), 'utf8').trimEnd());
  });

  test('kubectl bellman page serves the page through a forwarded port, and leaves no process in the Pod', async () => {
    const plugin = cluster.startPlugin('page', '--no-open');
    let address: string | undefined;
    await cluster.until('the plugin prints the address of the page', async () => {
      [address] = /^http:\/\/127\.0\.0\.1:\d+\/\S*/m.exec(plugin.output()) ?? [];
      return address !== undefined;
    });
    const fetchPage = (path: string) =>
      cluster.fabric.control.exec('curl', '-sSf', '--compressed', '--max-time', '30', `${address}${path}`);
    assert.match(await fetchPage(''), /<title>Bellman/);
    await cluster.until('the page has the addresses of the Service', async () => {
      const data = await fetchPage('data');
      return (serviceAddresses.get('web') ?? []).every((address) => data.includes(address));
    });
    const runs = async () => {
      const found = processesOf(await pods('controller'));
      return found.some((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--end-with-input'));
    };
    assert.ok(await runs(), 'the program serves the page in the Pod');
    await plugin.stop();
    await cluster.until('the program in the Pod has ended', async () => !(await runs()));
  });

  test('a rollout of the speakers completes under traffic, and the addresses of web and printer are answered again', async () => {
    const old = new Set((await pods('speaker')).map(({ metadata }) => metadata.uid));
    await underTraffic('the rollout of the speakers', async () => {
      await rollOut('daemonset/speaker');
      await cluster.until(`${nodeCount} sessions`, async () => (await establishedSessions()) === nodeCount);
    });
    const now = await pods('speaker');
    assert.equal(now.length, nodeCount);
    assert.ok(
      now.every(({ metadata }) => !old.has(metadata.uid)),
      'every speaker is a new Pod',
    );
  });

  test('a rollout of the controllers completes under traffic, and a Service made meanwhile gets addresses', async () => {
    await underTraffic('the rollout of the controllers', async () => {
      const done = rollOut('deployment/controller');
      await cluster.apply('late', ...backend('late', 'public', image, 1));
      await addressesOf('late');
      await done;
    });
  });

  test('the liveness probe restarts a speaker that no longer answers, and its session comes back', async () => {
    const [frozen] = await pods('speaker');
    assert.ok(frozen);
    await underTraffic(
      `the recovery of ${frozen.metadata.name}, which is stopped with SIGSTOP,`,
      async () => {
        for (const pid of processesOf([frozen])) process.kill(pid, 'SIGSTOP');
        await cluster.until('the kubelet has restarted it', async () => {
          const { status } =
            (await pods('speaker')).find(({ metadata }) => metadata.uid === frozen.metadata.uid) ?? {};
          const [container] = status?.containerStatuses ?? [];
          return container?.restartCount === 1 && container.ready;
        });
        await cluster.until(`${nodeCount} sessions`, async () => (await establishedSessions()) === nodeCount);
      },
    );
  });

  test('uninstalling ends all Pods and withdraws all addresses', async () => {
    await uninstall();
    await cluster.until('all Pods of Bellman are gone', async () =>
      (await Promise.all(['speaker', 'controller'].map(pods))).every(({ length }) => length === 0),
    );
    for (const address of serviceAddresses.get('web') ?? []) {
      await cluster.until(
        `the router has no route to ${address}`,
        async () => !(await cluster.birdc('show', 'route')).includes(`${address}/`),
      );
      await assert.rejects(fetchFrom(cluster.fabric.far, address), `${address} is not answered`);
    }
    const { near } = cluster.fabric;
    for (const address of serviceAddresses.get('printer') ?? []) {
      await near.ip('neigh', 'flush', 'to', address);
      await assert.rejects(fetchFrom(near, address), `${address} is not answered`);
    }
    say('uninstalled: no Pod is left and no address is answered');
  });
});
