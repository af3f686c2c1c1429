/** Checks that an exception in the handling of one object causes a retry of that object and affects no other object. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { formatIp } from '../../../src/address/index.ts';
import { configHash } from '../../../src/cluster/accepted-config.ts';
import { parseConfig } from '../../../src/config/index.ts';
import { Allocator } from '../../../src/controller/allocator/allocator.ts';
import { ConfigReconciler } from '../../../src/controller/config/config-reconciler.ts';
import { ControllerMetrics } from '../../../src/controller/metrics.ts';
import { ServiceReconciler } from '../../../src/controller/services/service-reconciler.ts';
import { EventRecorder } from '../../../src/kubernetes/event-recorder.ts';
import type { ConfigMap, Service } from '../../../src/kubernetes/model.ts';
import { createDiagnostics } from '../../../src/telemetry/diagnostics.ts';
import { Turns } from '../../../src/turns.ts';
import { BusyClock } from '../../support/busy-clock.ts';
import { MemoryApi } from '../../support/memory-api.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { SlicingClock } from '../../support/slicing-clock.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass, settle } from '../../support/virtual-run.ts';
import { service } from '../speaker/fixtures.ts';
import { config, configPath, namespace, pool } from './controller-harness.ts';

/**
 * Wraps an object so that reading one of its properties throws while `isActive` is true. The exception stands in for a bug in the code
 * that handles the object.
 */
class Poison {
  isActive = true;

  in<T extends object>(object: T, name: string): T {
    return new Proxy(object, {
      get: (target, property) => {
        if (this.isActive && property === name) throw new TypeError('planted');
        return Reflect.get(target, property);
      },
    });
  }
}

function parts(clock = new VirtualClock(), onAddressesChanged = () => {}) {
  const { logger, lines } = memoryLogger();
  const client = new MemoryApi(clock, logger);
  const registry = new Registry();
  const metrics = new ControllerMetrics(registry);
  const diagnostics = createDiagnostics({ clock, logger, registry });
  const events = new EventRecorder({ client, component: 'test', host: 'test', logger, clock });
  const shared = {
    client,
    clock,
    turns: new Turns(clock),
    logger,
    metrics,
    events,
    ...diagnostics,
    namespace,
  };
  const services = new ServiceReconciler({
    ...shared,
    allocator: new Allocator(),
    loadBalancerClass: undefined,
    showsConditions: false,
    adoptOnly: false,
    onAddressesChanged,
  });
  return { shared, services, lines, registry };
}

/** Lets turns of the event loop pass until work in slices is done. */
async function applied(clock: VirtualClock, work: Promise<void>): Promise<void> {
  let isDone = false;
  void work.then(() => {
    isDone = true;
  });
  for (; !isDone; await settle()) clock.advance(0);
}

async function failures(registry: Registry): Promise<number> {
  const metric = await registry.getSingleMetric('bellman_input_failures_total')?.get();
  return metric?.values.reduce((sum, { value }) => sum + value, 0) ?? 0;
}

test('ServiceReconciler retries a Service whose decision throws, and serves the others', async () => {
  const { shared, services, lines, registry } = parts();
  const parsed = parseConfig(config(pool('a', '192.0.2.0/28')));
  assert.ok(parsed.ok);
  await applied(shared.clock, services.setConfig(parsed.value));
  const held = () => [...services.assigned()].map((each) => `${each.service} ${each.address.value & 0xffn}`);
  const web: Service = service('web', []);
  services.setService('default/web', web);
  await pass(shared.clock, 100, 100);
  assert.deepEqual(held(), ['default/web 0']);

  const poison = new Poison();
  const annotations = poison.in({}, 'bellman.dev/address-pool');
  services.setService('default/web', { ...web, annotations, resourceVersion: '2' });
  services.setService('default/next', service('next', []));
  await pass(shared.clock, 3000, 100);
  assert.deepEqual(new Set(held()), new Set(['default/web 0', 'default/next 1']), 'web keeps its address');
  assert.equal(lines.filter(({ msg }) => msg === 'bug: input dropped').length, 1, 'logged once');
  assert.ok((await failures(registry)) > 1, 'each retry is counted');

  poison.isActive = false;
  const before = await failures(registry);
  await pass(shared.clock, 40_000, 500);
  assert.equal(await failures(registry), before, 'the retry succeeds');
  await services.stop();
});

test('ServiceReconciler reports that a pass has moved addresses, even if the pass is dropped before its end', async () => {
  const clock = new BusyClock();
  let told = 0;
  const { services } = parts(clock, () => {
    told++;
  });
  const parsed = parseConfig(config(pool('a', '192.0.2.0/32')));
  assert.ok(parsed.ok);
  for (let i = 0; i < 1000; i++) services.setService(`default/s${i}`, service(`s${i}`, []));
  await applied(clock, services.setConfig(parsed.value));
  assert.equal(told, 0, 'the pass is not finished');
  services.setNamespaces(new Map());
  clock.advance(1000);
  assert.equal([...services.assigned()].length, 1);
  assert.equal(told, 1);
  await services.stop();
});

test('ServiceReconciler puts a configuration in force in slices, while Services come and go', async () => {
  const clock = new BusyClock();
  const { services } = parts(clock);
  const [first, second] = ['a', 'b'].map((name) => parseConfig(config(pool(name, '192.0.0.0/20'))));
  assert.ok(first?.ok && second?.ok);
  const addressOf = (i: number) => `192.0.${8 + (i >> 8)}.${i & 255}`;
  for (let i = 0; i < 1000; i++) services.setService(`default/s${i}`, service(`s${i}`, [addressOf(i)]));
  const inUse = () => new Map([...services.assigned()].map((each) => [each.service, formatIp(each.address)]));

  for (const [parsed, gone, come] of [
    [first, 0, 'new'],
    [second, 1, 'newer'],
  ] as const) {
    const before = clock.turns;
    const configured = services.setConfig(parsed.value);
    clock.advance(0);
    await settle();
    services.setService(`default/s${gone}`, undefined);
    services.setService(`default/${come}`, service(come, []));
    await applied(clock, configured);
    assert.ok(clock.turns - before > 2, 'the work took several turns');
    services.release();
    clock.advance(1000);
    assert.deepEqual([inUse().get(`default/s${gone}`), inUse().size], [undefined, 1000]);
    const found = inUse();
    for (let i = 2; i < 1000; i++) assert.equal(found.get(`default/s${i}`), addressOf(i));
    assert.ok(inUse().has(`default/${come}`));
  }
  await services.stop();
});

/** A reconciler with 1,000 new Services, whose first decisions are due. */
async function thousandServices(clock: BusyClock): Promise<ServiceReconciler> {
  const { services } = parts(clock);
  const parsed = parseConfig(config(pool('a', '192.0.0.0/20')));
  assert.ok(parsed.ok);
  for (let i = 0; i < 1000; i++) services.setService(`default/s${i}`, service(`s${i}`, []));
  await applied(clock, services.setConfig(parsed.value));
  return services;
}

test('ServiceReconciler settles in slices, and makes no later decision before its release', async () => {
  const clock = new BusyClock();
  const services = await thousandServices(clock);
  const count = () => [...services.assigned()].length;
  const settled = services.settle();
  services.setService('default/early', service('early', []));
  assert.ok(count() < 1001, 'some decisions are due');
  clock.advance(1000);
  assert.equal(await settled, true);
  assert.equal(count(), 1001);
  services.setService('default/late', service('late', []));
  clock.advance(1000);
  assert.equal(count(), 1001);
  services.release();
  clock.advance(1000);
  assert.equal(count(), 1002);
  await services.stop();
});

test('ServiceReconciler that stops while decisions are due does not settle', async () => {
  const clock = new BusyClock();
  const services = await thousandServices(clock);
  const settled = services.settle();
  await services.stop();
  assert.equal(await settled, false);
  assert.equal(await services.settle(), false);
});

test('ConfigReconciler judges an edit in slices, and meanwhile no address is assigned', async () => {
  const { shared, services } = parts();
  const slicing = new SlicingClock();
  const turns = new Turns(slicing);
  const reconciler = new ConfigReconciler({ ...shared, turns, services, onConfig: () => {} });
  const edit = (text: string): void => {
    const known = shared.client.get(configPath)?.metadata;
    const data = { config: text };
    const metadata = { ...known, name: 'config', namespace };
    const {
      uid = '',
      resourceVersion = '',
      annotations = {},
    } = shared.client.put(configPath, {
      metadata,
      data,
    }).metadata;
    reconciler.setConfigMap({ namespace, name: 'config', uid, resourceVersion, annotations, data });
  };
  const goOn = async (isDone: () => boolean) => {
    for (let i = 0; i < 1000 && !isDone(); i++) {
      slicing.run(1);
      await pass(shared.clock, 100, 100);
    }
    assert.ok(isDone());
  };
  const earlier = config(pool('a', '192.0.0.0/19'), pool('b', '198.51.100.0/28', 'auto-assign: false'));
  const later = config(pool('a', '192.0.0.0/19'));
  edit(earlier);
  reconciler.start();
  await goOn(() => reconciler.state().hash === configHash(earlier));
  for (let i = 0; i < 3000; i++) services.setService(`default/s${i}`, service(`s${i}`, []));
  await pass(shared.clock, 3000, 100);
  assert.equal([...services.assigned()].length, 3000);

  edit(later);
  await pass(shared.clock, 3000, 100);
  assert.equal(reconciler.state().hash, configHash(earlier), 'the judgement waits for the next turn');
  const late = service('late', [], { annotations: { 'bellman.dev/address-pool': 'b' } });
  services.setService('default/late', late);
  await pass(shared.clock, 3000, 100);
  assert.equal([...services.assigned()].length, 3000);
  await goOn(() => reconciler.state().hash === configHash(later));
  await pass(shared.clock, 3000, 100);
  assert.equal([...services.assigned()].length, 3000, 'the accepted configuration has no pool b');

  edit(earlier);
  await pass(shared.clock, 3000, 100);
  let isStopped = false;
  void Promise.all([services.stop(), reconciler.stop()]).then(() => {
    isStopped = true;
  });
  await goOn(() => isStopped);
});

test('ConfigReconciler retries a ConfigMap whose judgement throws, and keeps the accepted configuration', async () => {
  const { shared, services, lines } = parts();
  const reconciler = new ConfigReconciler({ ...shared, services, onConfig: () => {} });
  /** Edits the ConfigMap as a user does. Returns the object as a watch would. */
  const edit = (text: string): ConfigMap => {
    const known = shared.client.get(configPath)?.metadata;
    const data = { config: text };
    const { metadata } = shared.client.put(configPath, {
      metadata: { ...known, name: 'config', namespace },
      data,
    });
    const { uid = '', resourceVersion = '', annotations = {} } = metadata;
    return { namespace, name: 'config', uid, resourceVersion, annotations, data };
  };
  const [earlier, later] = [config(pool('a', '192.0.2.0/28')), config(pool('b', '192.0.2.0/28'))];
  reconciler.setConfigMap(edit(earlier));
  reconciler.start();
  await pass(shared.clock, 3000, 100);
  const poison = new Poison();
  const edited = edit(later);
  reconciler.setConfigMap({ ...edited, data: poison.in(edited.data, 'config') });
  await pass(shared.clock, 3000, 100);
  assert.equal(lines.filter(({ msg }) => msg === 'bug: input dropped').length, 1);
  assert.equal(reconciler.state().hash, configHash(earlier));
  poison.isActive = false;
  await pass(shared.clock, 40_000, 500);
  const { status, hash } = reconciler.state();
  assert.deepEqual([status, hash], ['active', configHash(later)]);
  await Promise.all([services.stop(), reconciler.stop()]);
});
