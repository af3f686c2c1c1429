import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configHash } from '../../../src/cluster/accepted-config.ts';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import { config, configPath, copyPath, Office, pool } from './office.ts';

const good = config(pool('a', '192.0.2.0/28'));
const other = config(pool('a', '192.0.2.0/28'), pool('b', '198.51.100.0/28'));
const bad = 'address-pools:\n- {name: a, protocol: pigeon, addresses: [192.0.2.0/28]}\n';

async function office(text: string): Promise<Office> {
  const made = new Office();
  made.editConfig(text);
  await made.start();
  return made;
}

test('gate keeps an accepted text as annotations on the ConfigMap and on its copy, with one event', async () => {
  const o = await office(good);
  for (const path of [configPath, copyPath]) {
    assert.equal(o.annotation('accepted-config', path), good);
    assert.equal(o.annotation('accepted-hash', path), configHash(good));
    assert.ok(Number.isFinite(Date.parse(o.annotation('accepted-at', path) ?? '')));
  }
  assert.equal(o.annotation('config-status'), 'active');
  assert.deepEqual(o.api.get(copyPath)?.data, { config: good });
  assert.deepEqual(o.events('config'), [
    `ConfigAccepted: configuration accepted: ${configHash(good)} is in force`,
  ]);
  assert.equal(await o.metric('bellman_config_stale'), 0);
  assert.equal(await o.metric('bellman_k8s_client_config_loaded_bool'), 1);
  await o.stop();
});

test('gate leaves a rejected text as it is written, and says stale and why in annotation, event, log and metric', async () => {
  const o = await office(good);
  o.editConfig(bad);
  await o.pass();
  assert.deepEqual(o.api.get(configPath)?.data, { config: bad });
  assert.equal(o.annotation('accepted-config'), good);
  assert.equal(o.annotation('config-status'), 'stale');
  const error = o.annotation('config-error') ?? '';
  assert.match(error, /address-pools\[0\]\.protocol.*line 2/);
  assert.equal(
    o.events('config')[1],
    `ConfigStale: the accepted one, ${configHash(good)}, stays in force; not accepted: ${error}`,
  );
  assert.equal(await o.metric('bellman_config_stale'), 1);
  assert.equal(await o.metric('bellman_k8s_client_config_stale_bool'), 1);
  assert.equal(o.logLines.filter(({ level }) => level === 'error').length, 1);
  o.service('new');
  await o.pass();
  assert.deepEqual(o.addresses('new'), ['192.0.2.0'], 'a new Service is served by the accepted one');
  await o.stop();
});

test('gate tells the same bad text once, and another bad text again', async () => {
  const o = await office(good);
  o.editConfig(bad);
  await o.pass();
  o.editConfig(bad);
  await o.pass();
  assert.equal(o.events('config').length, 2);
  o.editConfig(bad.replace('pigeon', 'smoke'));
  await o.pass();
  assert.equal(o.events('config').length, 3);
  await o.stop();
});

test('gate clears the stale state when the text is put back, without touching a Service', async () => {
  const o = await office(good);
  o.service('web');
  await o.pass();
  o.editConfig(bad);
  await o.pass();
  o.writes();
  o.editConfig(good);
  await o.pass();
  assert.equal(o.annotation('config-status'), 'active');
  assert.equal(o.annotation('config-error'), undefined);
  assert.equal(await o.metric('bellman_config_stale'), 0);
  assert.match(o.events('config')[2] ?? '', /^ConfigAccepted: configuration back at the accepted one/);
  assert.deepEqual(o.writes(), ['PATCH bellman-system/configmaps/config']);
  await o.stop();
});

test('gate loads the accepted text after a restart with a bad one, and tells nothing twice', async () => {
  const o = await office(good);
  o.service('web');
  await o.pass();
  o.editConfig(bad);
  await o.pass();
  await o.stop();
  o.service('later');
  o.writes();
  const told = o.events('config');
  await o.start();
  assert.deepEqual(o.addresses('web'), ['192.0.2.0']);
  assert.deepEqual(o.addresses('later'), ['192.0.2.1']);
  assert.deepEqual(o.writes(), ['PATCH default/services/later/status']);
  assert.deepEqual(o.events('config'), told);
  assert.equal(await o.metric('bellman_config_stale'), 1);
  o.editConfig(good);
  await o.pass();
  assert.match(o.events('config').at(-1) ?? '', /^ConfigAccepted: configuration back/);
  await o.stop();
});

test('gate takes a deleted ConfigMap for stale, never for a wipe; also across a restart; and its return clears it', async () => {
  const o = await office(good);
  o.service('web');
  await o.pass();
  o.api.remove(configPath);
  await o.pass();
  assert.match(o.events('config').at(-1) ?? '', /^ConfigStale: .*there is no ConfigMap config$/);
  assert.equal(o.annotation('config-status', copyPath), 'stale');
  assert.equal(await o.metric('bellman_config_stale'), 1);
  assert.deepEqual(o.addresses('web'), ['192.0.2.0']);

  await o.stop();
  o.service('later');
  o.writes();
  const told = o.events('config').length;
  await o.start();
  assert.deepEqual(o.addresses('later'), ['192.0.2.1']);
  assert.deepEqual(o.writes(), ['PATCH default/services/later/status']);
  assert.equal(o.events('config').length, told);

  o.editConfig(good);
  await o.pass();
  assert.equal(o.annotation('config-status'), 'active');
  assert.equal(o.annotation('accepted-config'), good);
  assert.equal(o.annotation('config-status', copyPath), undefined);
  assert.equal(await o.metric('bellman_config_stale'), 0);
  await o.stop();
});

test('gate takes a ConfigMap without its key for stale', async () => {
  const o = await office(good);
  o.editConfig(undefined);
  await o.pass();
  assert.match(o.annotation('config-error') ?? '', /has no key "config"/);
  await o.stop();
});

test('gate refuses an edit that would orphan an address, naming its Service, and takes it once the Service is gone', async () => {
  const o = await office(other);
  o.service('web', { annotations: { 'bellman.dev/address-pool': 'b' } });
  await o.pass();
  o.editConfig(good);
  await o.pass();
  assert.match(o.annotation('config-error') ?? '', /default\/web 198\.51\.100\.0.*draining: true/);
  assert.deepEqual(o.addresses('web'), ['198.51.100.0']);
  assert.equal(o.annotation('accepted-config'), other);
  o.deleteService('web');
  await o.pass();
  assert.equal(o.annotation('config-status'), 'active');
  assert.equal(o.annotation('accepted-config'), good);
  await o.stop();
});

for (const [what, next, pools] of [
  ['split', config(pool('x', '192.0.2.0/29'), pool('y', '192.0.2.8/29')), 'x'],
  ['renamed', config(pool('z', '192.0.2.0/28')), 'z'],
  ['moved to another protocol', good.replace('layer2', 'bgp'), 'a'],
  ['drained', config(pool('a', '192.0.2.0/28', 'draining: true')), 'a'],
] as const)
  test(`gate lets a pool be ${what} without an address changing`, async () => {
    const o = await office(good);
    o.service('web');
    await o.pass();
    o.editConfig(next);
    await o.pass();
    assert.equal(o.annotation('config-status'), 'active');
    assert.equal(o.annotation('accepted-config'), next);
    assert.deepEqual(o.addresses('web'), ['192.0.2.0']);
    assert.equal(o.annotation('ip-allocated-from-pool', o.servicePath('web')), pools);
    assert.ok(!o.events('web').some((event) => event.startsWith('IPReleased')));
    await o.stop();
  });

test('gate puts annotations and copy right that somebody else changed', async () => {
  const o = await office(good);
  const known = o.api.get(configPath);
  assert.ok(known);
  o.api.put(configPath, { ...known, metadata: { name: 'config', namespace: 'bellman-system' } });
  o.api.remove(copyPath);
  await o.pass();
  assert.equal(o.annotation('accepted-config'), good);
  assert.equal(o.annotation('accepted-config', copyPath), good);
  await o.stop();
});

test('gate believes the newer of ConfigMap and copy at a start, and none that does not belong to its hash', async () => {
  const o = await office(good);
  o.editConfig(other);
  await o.pass();
  await o.stop();
  const known = o.api.get(configPath);
  assert.ok(known);
  const annotations = { ...known.metadata.annotations, 'bellman.dev/accepted-config': 'address-pools: []' };
  o.api.put(configPath, { ...known, metadata: { ...known.metadata, annotations }, data: { config: bad } });
  await o.start();
  assert.equal(o.annotation('accepted-config'), other);
  assert.equal(o.annotation('config-status'), 'stale');
  await o.stop();
});

test('gate puts in force only what has been written down', async () => {
  const o = await office(good);
  let refusing = true;
  o.api.before = ({ method, path }) => {
    if (refusing && method === 'PATCH' && path === configPath) throw new ApiError(0, 'ECONNREFUSED', 'away');
  };
  o.editConfig(other);
  o.service('web', { annotations: { 'bellman.dev/address-pool': 'b' } });
  await o.pass();
  assert.deepEqual(o.addresses('web'), []);
  refusing = false;
  await o.pass(40_000);
  assert.deepEqual(o.addresses('web'), ['198.51.100.0']);
  await o.stop();
});

test('gate refuses a text that the API server does not let it keep', async () => {
  const o = await office(good);
  o.api.before = ({ body }) => {
    const annotations = (body as { metadata?: { annotations?: object } } | undefined)?.metadata?.annotations;
    if (annotations && 'bellman.dev/accepted-config' in annotations)
      throw new ApiError(422, 'Invalid', 'metadata.annotations: Too long');
  };
  o.editConfig(other);
  await o.pass();
  assert.match(
    o.annotation('config-error') ?? '',
    /cannot be kept as accepted: metadata\.annotations: Too long/,
  );
  assert.equal(o.annotation('accepted-config'), good);
  assert.equal(o.events('config').length, 2);
  await o.stop();
});

test('gate hands nothing out between the judgement and its being written', async () => {
  const o = await office(other);
  let answer: () => void = () => {};
  o.api.before = ({ method, path }) =>
    method === 'PATCH' && path === configPath
      ? new Promise((resolve) => {
          answer = resolve;
        })
      : undefined;
  o.editConfig(good);
  await o.pass();
  o.service('web', { annotations: { 'bellman.dev/address-pool': 'b' } });
  await o.pass();
  assert.deepEqual(o.addresses('web'), [], 'pool b is about to go');
  answer();
  await o.pass();
  assert.equal(o.annotation('accepted-config'), good);
  assert.match(o.events('web')[0] ?? '', /^AllocationFailed: there is no pool b/);
  await o.stop();
});

test('gate waits for the first configuration, and touches no Service until there is one', async () => {
  const o = new Office();
  o.service('web');
  o.setStatus('web', ['203.0.113.9']);
  o.writes();
  await o.start();
  assert.deepEqual(
    o.writes().filter((write) => !write.includes('secrets')),
    [],
  );
  o.editConfig(bad);
  await o.pass();
  assert.equal(o.annotation('config-status'), 'stale');
  assert.match(o.events('config')[0] ?? '', /none was accepted so far/);
  assert.deepEqual(o.addresses('web'), ['203.0.113.9']);
  await o.stop();
});

test('gate refuses a first configuration that orphans addresses recorded as given from a pool', async () => {
  const o = new Office();
  o.service('web', { annotations: { 'metallb.universe.tf/ip-allocated-from-pool': 'old' } });
  o.setStatus('web', ['203.0.113.9']);
  o.editConfig(good);
  await o.start();
  assert.match(o.annotation('config-error') ?? '', /default\/web 203\.0\.113\.9/);
  assert.deepEqual(o.addresses('web'), ['203.0.113.9']);
  await o.stop();
});

test('gate keeps a large text compressed, and finds it again', async () => {
  const many = Array.from({ length: 800 }, (_, i) => pool(`p${i}`, `10.${i >> 8}.${i & 255}.0/24`));
  const large = config(...many);
  assert.ok(large.length > 32 * 1024);
  const o = await office(large);
  assert.match(o.annotation('accepted-config') ?? '', /^gzip:/);
  await o.stop();
  o.editConfig(bad);
  o.service('web');
  await o.start();
  assert.deepEqual(o.addresses('web'), ['10.0.0.0']);
  await o.stop();
});
