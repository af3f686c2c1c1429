/**
 * The controller with many Services: a leader that is killed during a storm of changes, a leader that is suspended, and a restart that writes
 * nothing.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isKubernetes } from '../../lab/start-api-server.ts';
import { ControlPlane, type Daemon } from '../support/control-plane.ts';
import { eventually, patienceMs } from '../support/eventually.ts';
import { addresses, allServices, makeService, makeServices, writeConfig } from './controller-fixtures.ts';

/** Kubernetes itself takes about 0.1 s for each Service on a busy machine. */
const total = isKubernetes ? 1000 : 10_000;
/** Numbers of Services. */
const storm = 0.3 * total;
const later = 0.02 * total;
const config = 'address-pools:\n- {name: big, protocol: bgp, addresses: [10.0.0.0/16]}\n';

let plane: ControlPlane;
before(async () => {
  plane = await ControlPlane.start();
  await writeConfig(plane, config);
});
after(() => plane.stop());

async function countAssigned(): Promise<number> {
  return (await allServices(plane)).filter(({ status }) => status?.loadBalancer?.ingress?.length).length;
}

async function assertAllDistinct(count: number): Promise<void> {
  const ips = (await allServices(plane)).flatMap(({ status }) =>
    (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip),
  );
  assert.equal(ips.length, count);
  assert.equal(new Set(ips).size, count, 'no two Services have the same address');
}

async function leader(...controllers: Daemon[]): Promise<Daemon> {
  return eventually('a leader', async () => {
    for (const controller of controllers) if ((await controller.status()).leading) return controller;
    return undefined;
  });
}

test('two controllers: the standby takes over when the leader is killed during a storm of changes', async (t) => {
  const [one, two] = [plane.controller(), plane.controller()];
  const first = await leader(one, two);
  const second = first === one ? two : one;
  const made = makeServices(plane, storm, 'storm');
  await eventually('a third of the addresses', async () => (await countAssigned()) > storm / 3);
  first.signal('SIGKILL');
  const killedAt = performance.now();
  await second.logged('leading');
  t.diagnostic(`took over after ${Math.round(performance.now() - killedAt)} ms`);
  await made;
  await eventually('all addresses', async () => (await countAssigned()) === storm);
  await assertAllDistinct(storm);
  assert.equal(await second.stop(), 0);
});

test('two controllers: a leader that is suspended for longer than its Lease lasts writes no Service and no ConfigMap afterwards', async () => {
  const [one, two] = [plane.controller(), plane.controller()];
  const first = await leader(one, two);
  const second = first === one ? two : one;
  first.signal('SIGSTOP');
  await second.logged('leading');
  await makeServices(plane, later, 'while-stopped');
  await eventually(
    'the addresses of the new Services',
    async () => (await countAssigned()) === storm + later,
  );
  await plane.knob('reset');
  first.signal('SIGCONT');
  await first.logged('no longer leading');
  const written = await plane.requests('bellman-controller');
  assert.deepEqual(
    [...written.keys()].filter((key) => /^(PATCH|POST) (services|configmaps)/.test(key)),
    [],
  );
  await assertAllDistinct(storm + later);
  // A clean stop gives the Lease back, so the other controller does not wait until the Lease expires.
  assert.equal(await second.stop(), 0);
  await eventually('the first controller leads again', async () => (await first.status()).leading);
  assert.equal(await first.stop(), 0);
});

test(`a restart with ${total} Services in place writes nothing`, async (t) => {
  let controller = plane.controller('--no-leader-election');
  await makeServices(plane, total - storm - later, 'more');
  await eventually('all addresses', async () => (await countAssigned()) === total, {
    deadlineMs: 3 * patienceMs,
  });
  await controller.stop();
  const versions = new Map(
    (await allServices(plane)).map(({ metadata }) => [metadata.name, metadata.resourceVersion]),
  );
  await plane.knob('reset');

  const startedAt = performance.now();
  controller = plane.controller('--no-leader-election');
  await eventually(
    'the verdict of the gate',
    async () => (await controller.status()).config?.status === 'active',
  );
  t.diagnostic(
    `the controller has read ${total} Services ${Math.round(performance.now() - startedAt)} ms after its start`,
  );
  await makeService(plane, 'the-next');
  await eventually(
    'an address of the next Service',
    async () => (await addresses(plane, 'the-next')).length === 1,
  );

  const requests = () => plane.requests('bellman-controller');
  await eventually('the event about the next Service', async () => (await requests()).has('POST events'));
  const writes = [...(await requests())].filter(([key]) => !/^(GET|LIST|WATCH) /.test(key));
  assert.deepEqual(
    new Map(writes),
    new Map([
      ['PATCH services/status', 1],
      ['POST events', 1],
    ]),
  );
  for (const { metadata } of await allServices(plane))
    if (metadata.name !== 'the-next') assert.equal(metadata.resourceVersion, versions.get(metadata.name));
  await assertAllDistinct(total + 1);
  assert.equal(await controller.stop(), 0);
});
