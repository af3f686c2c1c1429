/**
 * Faults of Kubernetes itself. In each of them, traffic and sessions go on, no address moves, everything recovers, and the processes send few
 * requests. The audit log counts the requests. One test also counts the connections, with the packet filter.
 */
import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kubernetes } from '../../lab/kubernetes/kubernetes.ts';
import { countRequests, processOf } from '../../lab/kubernetes/request-counts.ts';
import { Lab } from '../../lab/lab.ts';
import { put } from '../../lab/put.ts';
import { skippedOnEmbedded } from '../../lab/start-api-server.ts';
import { SeatHolder } from '../support/seat-holder.ts';

const services = ['web', 'printer'] as const;

/** Number of watches of a controller or a speaker. */
const watchesOf = { controller: 4, speaker: 8 } as const;

/** The kinds of which a process has two watches: one for each of two ConfigMaps, and one for each of two selections of Secrets. */
const watchedTwice: ReadonlySet<string> = new Set(['watch configmaps', 'watch secrets']);
/**
 * When a server ends a watch, the process opens the watch again. If the server answers that the version has expired, the process lists and opens
 * another watch. Each of the two openings may need a second attempt.
 */
const watchAttempts = 4;

const skip = skippedOnEmbedded('it breaks kube-apiserver and etcd');

describe('faults of Kubernetes', { concurrency: false, skip }, () => {
  let lab: Lab;
  let kubernetes: Kubernetes;
  let made = 0;

  before(async () => {
    lab = await Lab.start({ nodes: 2, hasSecondServer: true });
    assert.ok(lab.server instanceof Kubernetes);
    kubernetes = lab.server;
    await lab.applyExample('config');
    for (const service of services) {
      await lab.addPods(service, lab.fabric.nodes);
      await lab.applyExample(service);
    }
    for (const service of services)
      await lab.until(`${service} has addresses`, async () => (await lab.addressesOf(service)).length === 2);
    await lab.until(
      'both sessions are established, and a node answers for each address of printer',
      async () => {
        const { sessions, owners } = await picture();
        return sessions.length === 2 && owners.length === 2;
      },
    );
    await lab.until('clients get answers', () => areAnswered());
  });
  after(() => lab?.close());

  /** The state that no fault may change. */
  async function picture() {
    const protocols = await lab.birdc('show', 'protocols');
    const statuses = await Promise.all(lab.fabric.nodes.map(({ namespace }) => lab.status(namespace)));
    return {
      addresses: await Promise.all(services.map((service) => lab.addressesOf(service))),
      sessions: protocols.match(/^node_\d+(?= .* Established)/gm) ?? [],
      lost: logged('"msg":"session down"'),
      owners: (statuses as { name: string; announcing: Readonly<Record<string, string>> }[]).flatMap(
        ({ announcing }, node) => Object.keys(announcing).map((address) => `${node} ${address}`),
      ),
    };
  }

  /** Whether a client behind the router and one on the segment get answers from all addresses. */
  async function areAnswered(): Promise<boolean> {
    const [web = [], printer = []] = (await picture()).addresses;
    await assertAnswered(web, printer);
    return true;
  }

  /**
   * Opens one connection to each address, and fails when one gets no answer. The time limit is long, because a busy machine may take long to
   * answer. A lost route or a lost owner gives an error sooner.
   */
  async function assertAnswered(web: readonly string[], printer: readonly string[]): Promise<void> {
    const { far, near } = lab.fabric;
    const ask = async (host: typeof far, address: string) => {
      const url = `http://${address.includes(':') ? `[${address}]` : address}/`;
      const body = await host.exec('curl', '-sS', '-g', '--max-time', '20', url);
      assert.match(body, /on node-\d/);
    };
    await Promise.all([
      ...web.map((address) => ask(far, address)),
      ...printer.map((address) => ask(near, address)),
    ]);
  }

  /** Lets clients send requests for this time. Fails when a request gets no answer. */
  async function trafficFor(ms: number, [web = [], printer = []]: readonly (readonly string[])[]) {
    for (const end = performance.now() + ms; performance.now() < end; await sleep(200))
      await assertAnswered(web, printer);
  }

  /** Checks that a new Service gets an address and that both nodes announce it. */
  async function assertWorks(): Promise<void> {
    const name = `after-${++made}`;
    const object = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default', annotations: { 'bellman.dev/address-pool': 'public' } },
      spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    };
    await lab.until('the API server takes a Service', () => lab.apply(object).then(() => true));
    await lab.until('the new Service has an address', async () => (await lab.addressesOf(name)).length === 1);
    const [address = ''] = await lab.addressesOf(name);
    await lab.until('both nodes announce the new address', async () => {
      const route = await lab.birdc('show', 'route', 'for', address).catch(() => '');
      return route.match(/\bvia\b/g)?.length === 2;
    });
  }

  const names = () => ['controller', ...lab.fabric.nodes.map((node) => `speaker-${node.name}`)];
  const logged = (text: string) => names().map((name) => lab.log(name).split(text).length - 1);

  /**
   * Checks what the head of this file promises about a fault. `during` causes the fault and waits while it lasts. `end` ends the fault. Clients
   * send requests all the time. `requestLimit` bounds the requests of each process from the beginning of the fault until everything works again.
   */
  async function survive(
    t: TestContext,
    {
      during,
      end,
      requestLimit,
    }: Readonly<Record<'during' | 'end', () => Promise<unknown>>> & {
      readonly requestLimit: number;
    },
  ) {
    const earlier = await picture();
    const [errors, starts] = [logged('"level":"error"'), logged(' started",')];
    const fromMs = Date.now();
    let isOver = false;
    const traffic = async () => {
      while (!isOver) await trafficFor(200, earlier.addresses);
    };
    const [sending] = [traffic()];
    try {
      await during();
      await end();
      await assertWorks();
    } finally {
      isOver = true;
    }
    await sending;
    const toMs = Date.now();
    assert.deepEqual(await picture(), earlier);
    assert.deepEqual(logged('"level":"error"'), errors, 'no process logs an error');
    assert.deepEqual(logged(' started",'), starts, 'no process starts again');
    const counts = countRequests(kubernetes.auditEvents(), { fromMs, toMs }).filter(({ process }) =>
      /^bellman-(controller|speaker) /.test(process),
    );
    for (const { process, total, byKind } of counts) {
      const kinds = [...byKind].map(([kind, count]) => `${kind} ${count}`).join(', ');
      t.diagnostic(`${process}: ${total} requests in ${((toMs - fromMs) / 1000).toFixed(0)} s: ${kinds}`);
    }
    const countsOf = (program: string) =>
      counts.filter(({ process }) => process.startsWith(`bellman-${program} `));
    assert.equal(
      countsOf('speaker').length,
      lab.fabric.nodes.length,
      'the requests of each speaker are counted',
    );
    // The controller shares a host with one of the two servers, so the two servers see it at different addresses, and it may be listed twice.
    assert.ok(countsOf('controller').length > 0, 'the requests of the controller are counted');
    for (const { process, total } of counts)
      assert.ok(total <= requestLimit, `${process} sent ${total} requests`);
    return { counts, fromMs, toMs };
  }

  /** The times at which the server refused each watch with 429, by process and collection. */
  function refusedWatches(
    fromMs: number,
    toMs = Number.POSITIVE_INFINITY,
  ): ReadonlyMap<string, readonly number[]> {
    const refusedAt = new Map<string, number[]>();
    for (const event of kubernetes.auditEvents()) {
      const atMs = Date.parse(event.requestReceivedTimestamp);
      if (event.responseStatus?.code !== 429 || event.verb !== 'watch') continue;
      if (event.stage !== 'ResponseStarted' || atMs < fromMs || atMs > toMs) continue;
      const key = `${processOf(event)} ${event.requestURI.split('?')[0]}${/fieldSelector=[^&]*/.exec(event.requestURI)?.[0] ?? ''}`;
      refusedAt.set(key, [...(refusedAt.get(key) ?? []), atMs]);
    }
    return refusedAt;
  }

  /** Counts the connections that node-1 tries to open to API servers, those of kube-proxy included. The returned function ends the counting. */
  async function countConnections(): Promise<() => Promise<number>> {
    const { namespace } = lab.node('node-1');
    await namespace.exec(
      'nft',
      [
        'add table inet faults',
        'add chain inet faults out { type filter hook output priority 0; }',
        'add rule inet faults out tcp dport 6443 tcp flags & (syn | ack) == syn counter',
      ].join('; '),
    );
    return async () => {
      const text = await namespace.exec('nft', 'list', 'table', 'inet', 'faults');
      await namespace.exec('nft', 'delete', 'table', 'inet', 'faults');
      return Number(/counter packets (\d+)/.exec(text)?.[1]);
    };
  }

  test('the host of the API server disappears, and its address moves to another server', async (t) => {
    const second = lab.secondServer;
    assert.ok(second);
    await survive(t, {
      during: () => second.unplug(),
      end: async () => {},
      requestLimit: 60,
    });
    await survive(t, { during: () => second.plug(), end: async () => {}, requestLimit: 60 });
  });

  test('the API server is killed, and its address moves to another server', async (t) => {
    const second = lab.secondServer;
    assert.ok(second);
    const { counts } = await survive(t, {
      during: () => second.kill(),
      end: async () => {},
      requestLimit: 60,
    });
    for (const { process, byKind } of counts) {
      // Each speaker needs these two watches to announce the address of the new Service. This check leaves out the controller: `counts` may have two
      // entries for the controller, and one of the two may have no watch.
      if (process.startsWith('bellman-speaker'))
        for (const kind of ['services', 'endpointslices'])
          assert.ok(byKind.has(`watch ${kind}`), `${process} opens its watch of ${kind} again`);
      for (const [kind, count] of byKind) {
        if (!kind.startsWith('watch ')) continue;
        const limit = watchAttempts * (watchedTwice.has(kind) ? 2 : 1);
        assert.ok(count <= limit, `${process}: ${kind} ${count}`);
      }
    }
  });

  test('the API server is killed, and starts again after 20 s', async (t) => {
    const connections = await countConnections();
    const awaySeconds = 20;
    let startedMs = 0;
    await survive(t, {
      during: async () => {
        startedMs = performance.now();
        await lab.api('refuse');
        await sleep(awaySeconds * 1000);
      },
      end: () => lab.api('serve'),
      requestLimit: 100,
    });
    const seconds = (performance.now() - startedMs) / 1000;
    const opened = await connections();
    t.diagnostic(`node-1 tried to open ${opened} connections in ${seconds.toFixed(0)} s`);
    // The speaker probes the server every 0.4 to 0.8 s, and opens its watches again with a growing pause. kube-proxy connects too.
    assert.ok(opened < 40 + 8 * seconds, `${opened} connections in ${seconds} s`);
  });

  test('etcd is compacted: each process lists again, at most twice for each watch, and goes on', async (t) => {
    const { counts } = await survive(t, {
      during: () => lab.api('compact'),
      end: async () => {},
      requestLimit: 120,
    });
    for (const { process, byKind } of counts) {
      const lists = [...byKind].filter(([kind]) => kind.startsWith('list '));
      const listed = lists.reduce((sum, [, count]) => sum + count, 0);
      const watches = process.startsWith('bellman-controller') ? watchesOf.controller : watchesOf.speaker;
      assert.ok(listed > 0, `${process} lists again`);
      assert.ok(listed <= 2 * watches, `${process} listed ${listed} times`);
    }
  });

  test('when tokens are replaced before they expire, each process uses the new ones, and nothing is refused', async (t) => {
    const lifeSeconds = 75;
    const { fromMs, toMs } = await survive(t, {
      // A process reads its token again after a minute.
      during: async () => {
        await lab.api('cut-watches');
        for (let i = 0; i < 7; i++) {
          await lab.rotateTokens(lifeSeconds);
          await sleep(10_000);
        }
        await lab.api('cut-watches');
        await sleep(5000);
      },
      end: () => lab.rotateTokens(),
      requestLimit: 150,
    });
    const tokens = new Map<string, Set<string>>();
    for (const event of kubernetes.auditEvents()) {
      const atMs = Date.parse(event.requestReceivedTimestamp);
      if (atMs < fromMs || atMs > toMs || !/^bellman-(controller|speaker)/.test(event.userAgent ?? ''))
        continue;
      assert.notEqual(event.responseStatus?.code, 401, JSON.stringify(event));
      const [token = ''] = event.user.extra?.['authentication.kubernetes.io/credential-id'] ?? [];
      const process = processOf(event);
      tokens.set(process, (tokens.get(process) ?? new Set()).add(token));
    }
    assert.equal(tokens.size, 3);
    for (const [process, used] of tokens) assert.ok(used.size > 1, `${process} used the tokens ${[...used]}`);
  });

  test('a token that expires is named in the log, and a new token is used at once', async (t) => {
    const expired = () => logged('expired at ');
    const earlier = expired();
    await survive(t, {
      during: async () => {
        kubernetes.expectRefusals();
        await lab.rotateTokens(1);
        // An open watch needs no token, so the watches are cut.
        await lab.until('every process names the expired token', async () => {
          await lab.api('cut-watches');
          await sleep(15_000);
          return expired().every((count, i) => count > (earlier[i] ?? 0));
        });
      },
      end: async () => {
        await lab.rotateTokens();
        await lab.until('the controller leads again', async () => {
          const { leading } = (await lab.status(lab.fabric.control)) as { leading: boolean };
          return leading;
        });
        kubernetes.expectGrants();
      },
      requestLimit: 400,
    });
    const perProcess = expired().map((count, i) => count - (earlier[i] ?? 0));
    for (const [i, count] of perProcess.entries())
      assert.ok(count <= 2 * watchesOf.speaker, `${names()[i]} logged ${count} lines`);
  });

  test('priority and fairness refuses everything: the processes wait as long as the server asks', async (t) => {
    const levels = '/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations';
    const schemas = '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas';
    let holder: SeatHolder | undefined;
    t.after(() => holder?.stop());
    const { fromMs, toMs } = await survive(t, {
      during: async () => {
        kubernetes.expectRefusals();
        await put(lab.client, levels, {
          metadata: { name: 'starving' },
          spec: {
            type: 'Limited',
            limited: {
              nominalConcurrencyShares: 0,
              lendablePercent: 0,
              borrowingLimitPercent: 0,
              limitResponse: { type: 'Reject' },
            },
          },
        });
        await put(lab.client, schemas, {
          metadata: { name: 'starving' },
          spec: {
            priorityLevelConfiguration: { name: 'starving' },
            matchingPrecedence: 2,
            rules: [
              {
                subjects: [
                  { kind: 'ServiceAccount', serviceAccount: { namespace: 'bellman-system', name: '*' } },
                ],
                resourceRules: [
                  { verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] },
                ],
                nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
              },
            ],
          },
        });
        const { url, certificate } = kubernetes;
        const token = await kubernetes.token('controller');
        holder = new SeatHolder({ url, certificate, token }, 'bellman-system');
        await lab.until('the controller leads no longer', async () => {
          const { leading } = (await lab.status(lab.fabric.control)) as { leading: boolean };
          return !leading;
        });
        await lab.api('cut-watches');
        const cutAtMs = Date.now();
        await lab.until('most watches are refused', () =>
          Promise.resolve(refusedWatches(cutAtMs).size >= 3 * watchesOf.controller),
        );
        await sleep(20_000);
      },
      end: async () => {
        await holder?.stop();
        for (const path of [schemas, levels])
          await lab.client.request({ method: 'DELETE', path: `${path}/starving` });
        await lab.until('the controller leads again', async () => {
          const { leading } = (await lab.status(lab.fabric.control)) as { leading: boolean };
          return leading;
        });
        kubernetes.expectGrants();
      },
      requestLimit: 250,
    });
    for (const [watch, times] of refusedWatches(fromMs, toMs))
      for (const [i, atMs] of times.entries()) {
        const pauseMs = atMs - (times[i - 1] ?? Number.NEGATIVE_INFINITY);
        // The server asks for a pause of one second.
        assert.ok(pauseMs >= 990, `${watch} came again after ${pauseMs} ms`);
      }
  });
});
