import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configHash } from '../../../src/cluster/accepted-config.ts';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import { pause } from '../../../src/kubernetes/retry.ts';
import { ControllerHarness, config, configPath, copyPath, pool } from './controller-harness.ts';

const good = config(pool('a', '192.0.2.0/28'));
const other = config(pool('a', '192.0.2.0/28'), pool('b', '198.51.100.0/28'));
const bad = 'address-pools:\n- {name: a, protocol: pigeon, addresses: [192.0.2.0/28]}\n';

async function started(text: string): Promise<ControllerHarness> {
  const made = new ControllerHarness();
  made.editConfig(text);
  await made.start();
  return made;
}

test('the controller stores an accepted text in annotations of the ConfigMap and of its copy, and records one event', async () => {
  const harness = await started(good);
  for (const path of [configPath, copyPath]) {
    assert.equal(harness.annotation('accepted-config', path), good);
    assert.equal(harness.annotation('accepted-hash', path), configHash(good));
    assert.ok(Number.isFinite(Date.parse(harness.annotation('accepted-at', path) ?? '')));
  }
  assert.equal(harness.annotation('config-status'), 'active');
  assert.deepEqual(harness.api.get(copyPath)?.data, { config: good });
  assert.deepEqual(harness.events('config'), [
    `ConfigAccepted: configuration accepted: ${configHash(good)} is in force`,
  ]);
  assert.equal(await harness.metric('bellman_config_stale'), 0);
  assert.equal(await harness.metric('bellman_k8s_client_config_loaded_bool'), 1);
  await harness.stop();
});

test('the controller leaves a rejected text as it is, and reports it in annotation, event, log and metric', async () => {
  const harness = await started(good);
  harness.editConfig(bad);
  await harness.pass();
  assert.deepEqual(harness.api.get(configPath)?.data, { config: bad });
  assert.equal(harness.annotation('accepted-config'), good);
  assert.equal(harness.annotation('config-status'), 'stale');
  const error = harness.annotation('config-error') ?? '';
  assert.match(error, /address-pools\[0\]\.protocol.*line 2/);
  assert.equal(
    harness.events('config')[1],
    `ConfigStale: configuration ${configHash(good)} stays in force; the text of the ConfigMap is not accepted: ${error}`,
  );
  assert.equal(await harness.metric('bellman_config_stale'), 1);
  assert.equal(await harness.metric('bellman_k8s_client_config_stale_bool'), 1);
  assert.equal(harness.logLines.filter(({ level }) => level === 'error').length, 1);
  harness.service('new');
  await harness.pass();
  assert.deepEqual(
    harness.addresses('new'),
    ['192.0.2.0'],
    'a new Service is served from the accepted configuration',
  );
  await harness.stop();
});

test('the controller reports each bad text once', async () => {
  const harness = await started(good);
  harness.editConfig(bad);
  await harness.pass();
  harness.editConfig(bad);
  await harness.pass();
  assert.equal(harness.events('config').length, 2);
  harness.editConfig(bad.replace('pigeon', 'smoke'));
  await harness.pass();
  assert.equal(harness.events('config').length, 3);
  await harness.stop();
});

test('the controller clears the stale state after a revert, without touching a Service', async () => {
  const harness = await started(good);
  harness.service('web');
  await harness.pass();
  harness.editConfig(bad);
  await harness.pass();
  harness.writes();
  harness.editConfig(good);
  await harness.pass();
  assert.equal(harness.annotation('config-status'), 'active');
  assert.equal(harness.annotation('config-error'), undefined);
  assert.equal(await harness.metric('bellman_config_stale'), 0);
  assert.match(
    harness.events('config')[2] ?? '',
    /^ConfigAccepted: configuration reverted to the accepted one/,
  );
  assert.deepEqual(harness.writes(), ['PATCH bellman-system/configmaps/config']);
  await harness.stop();
});

test('a controller that starts while the ConfigMap holds a bad text loads the accepted text, and does not report the bad text again', async () => {
  const harness = await started(good);
  harness.service('web');
  await harness.pass();
  harness.editConfig(bad);
  await harness.pass();
  await harness.stop();
  harness.service('later');
  harness.writes();
  const reported = harness.events('config');
  await harness.start();
  assert.deepEqual(harness.addresses('web'), ['192.0.2.0']);
  assert.deepEqual(harness.addresses('later'), ['192.0.2.1']);
  assert.deepEqual(harness.writes(), ['PATCH default/services/later/status']);
  assert.deepEqual(harness.events('config'), reported);
  assert.equal(await harness.metric('bellman_config_stale'), 1);
  harness.editConfig(good);
  await harness.pass();
  assert.match(harness.events('config').at(-1) ?? '', /^ConfigAccepted: configuration reverted/);
  await harness.stop();
});

test('the controller treats a deleted ConfigMap as stale, also across a restart, until the ConfigMap exists again', async () => {
  const harness = await started(good);
  harness.service('web');
  await harness.pass();
  harness.api.remove(configPath);
  await harness.pass();
  assert.match(harness.events('config').at(-1) ?? '', /^ConfigStale: .*there is no ConfigMap config$/);
  assert.equal(harness.annotation('config-status', copyPath), 'stale');
  assert.equal(await harness.metric('bellman_config_stale'), 1);
  assert.deepEqual(harness.addresses('web'), ['192.0.2.0']);

  await harness.stop();
  harness.service('later');
  harness.writes();
  const reported = harness.events('config').length;
  await harness.start();
  assert.deepEqual(harness.addresses('later'), ['192.0.2.1']);
  assert.deepEqual(harness.writes(), ['PATCH default/services/later/status']);
  assert.equal(harness.events('config').length, reported);

  harness.editConfig(good);
  await harness.pass();
  assert.equal(harness.annotation('config-status'), 'active');
  assert.equal(harness.annotation('accepted-config'), good);
  assert.equal(harness.annotation('config-status', copyPath), undefined);
  assert.equal(await harness.metric('bellman_config_stale'), 0);
  await harness.stop();
});

test('the controller treats a ConfigMap as stale when it is deleted before the response to a write arrives', async () => {
  const harness = new ControllerHarness();
  await harness.start();
  harness.delayResponses('/configmaps/config');
  harness.editConfig(good);
  await harness.pass(200);
  harness.api.remove(configPath);
  await harness.pass();
  assert.equal(await harness.metric('bellman_config_stale'), 1);
  assert.match(harness.events('config').at(-1) ?? '', /^ConfigStale: .*there is no ConfigMap config$/);
  await harness.stop();
});

test('the controller stores the copy again when it is deleted before the response to a write arrives', async () => {
  const harness = await started(good);
  harness.delayResponses('/configmaps/bellman-accepted-config');
  harness.editConfig(other);
  await harness.pass(200);
  assert.equal(harness.annotation('accepted-config', copyPath), other);
  harness.api.remove(copyPath);
  await harness.pass();
  assert.equal(harness.annotation('accepted-config', copyPath), other);
  await harness.stop();
});

test('the controller stores the copy again when it is deleted before the response to its creation arrives', async () => {
  const harness = new ControllerHarness();
  harness.api.after = ({ method, path }) =>
    method === 'POST' && path.endsWith('/configmaps')
      ? pause(harness.clock, 4000, new AbortController().signal)
      : undefined;
  harness.editConfig(good);
  await harness.start();
  harness.api.remove(copyPath);
  await harness.pass();
  assert.equal(harness.annotation('accepted-config', copyPath), good);
  harness.editConfig(other);
  await harness.pass();
  assert.equal(harness.annotation('accepted-config', copyPath), other);
  await harness.stop();
});

test('the controller treats a ConfigMap without its key as stale, and names the key that is there instead', async () => {
  const harness = await started(good);
  const before = harness.api.get(configPath);
  assert.ok(before);
  harness.editConfig(undefined);
  await harness.pass();
  assert.match(harness.annotation('config-error') ?? '', /has no key config$/);
  harness.api.put(configPath, { ...before, data: { 'config.yaml': good } });
  await harness.pass();
  assert.match(harness.annotation('config-error') ?? '', /has no key config, only config\.yaml$/);
  await harness.stop();
});

test('the gate rejects an edit that would orphan an address, and accepts it once the Service is gone', async () => {
  const harness = await started(other);
  harness.service('web', { annotations: { 'bellman.dev/address-pool': 'b' } });
  await harness.pass();
  harness.editConfig(good);
  await harness.pass();
  assert.match(harness.annotation('config-error') ?? '', /default\/web 198\.51\.100\.0.*draining: true/);
  assert.deepEqual(harness.addresses('web'), ['198.51.100.0']);
  assert.equal(harness.annotation('accepted-config'), other);
  harness.deleteService('web');
  await harness.pass();
  assert.equal(harness.annotation('config-status'), 'active');
  assert.equal(harness.annotation('accepted-config'), good);
  await harness.stop();
});

test('the reason of a rejection names the orphans in the order of their names', async () => {
  const harness = await started(other);
  for (const name of ['b', 'c', 'a']) {
    harness.service(name, { annotations: { 'bellman.dev/address-pool': 'b' } });
    await harness.pass();
  }
  harness.editConfig(good);
  await harness.pass();
  assert.match(
    harness.annotation('config-error') ?? '',
    /3 assigned addresses: default\/a 198\.51\.100\.2; default\/b 198\.51\.100\.0; default\/c 198\.51\.100\.1\./,
  );
  await harness.stop();
});

for (const [what, next, pools] of [
  ['split', config(pool('x', '192.0.2.0/29'), pool('y', '192.0.2.8/29')), 'x'],
  ['renamed', config(pool('z', '192.0.2.0/28')), 'z'],
  ['moved to another protocol', good.replace('layer2', 'bgp'), 'a'],
  ['set to draining', config(pool('a', '192.0.2.0/28', 'draining: true')), 'a'],
] as const)
  test(`the gate accepts a pool that is ${what}, and no address changes`, async () => {
    const harness = await started(good);
    harness.service('web');
    await harness.pass();
    harness.editConfig(next);
    await harness.pass();
    assert.equal(harness.annotation('config-status'), 'active');
    assert.equal(harness.annotation('accepted-config'), next);
    assert.deepEqual(harness.addresses('web'), ['192.0.2.0']);
    assert.equal(harness.annotation('ip-allocated-from-pool', harness.servicePath('web')), pools);
    assert.ok(!harness.events('web').some((event) => event.startsWith('IPReleased')));
    await harness.stop();
  });

test('the controller restores the annotations and the copy after another client has removed them', async () => {
  const harness = await started(good);
  const known = harness.api.get(configPath);
  assert.ok(known);
  harness.api.put(configPath, { ...known, metadata: { name: 'config', namespace: 'bellman-system' } });
  harness.api.remove(copyPath);
  await harness.pass();
  assert.equal(harness.annotation('accepted-config'), good);
  assert.equal(harness.annotation('accepted-config', copyPath), good);
  await harness.stop();
});

test('the controller ignores a stored text that does not match its hash, and loads the text of the copy instead', async () => {
  const harness = await started(good);
  harness.editConfig(other);
  await harness.pass();
  await harness.stop();
  const known = harness.api.get(configPath);
  assert.ok(known);
  const annotations = { ...known.metadata.annotations, 'bellman.dev/accepted-config': 'address-pools: []' };
  harness.api.put(configPath, {
    ...known,
    metadata: { ...known.metadata, annotations },
    data: { config: bad },
  });
  await harness.start();
  assert.equal(harness.annotation('accepted-config'), other);
  assert.equal(harness.annotation('config-status'), 'stale');
  await harness.stop();
});

test('the controller stores a configuration before the configuration takes effect', async () => {
  const harness = await started(good);
  let refusing = true;
  harness.api.before = ({ method, path }) => {
    if (refusing && method === 'PATCH' && path === configPath) throw new ApiError(0, 'ECONNREFUSED', 'away');
  };
  harness.editConfig(other);
  harness.service('web', { annotations: { 'bellman.dev/address-pool': 'b' } });
  await harness.pass();
  assert.deepEqual(harness.addresses('web'), []);
  refusing = false;
  await harness.pass(40_000);
  assert.deepEqual(harness.addresses('web'), ['198.51.100.0']);
  await harness.stop();
});

test('the controller rejects a text that the API server refuses to store', async () => {
  const harness = await started(good);
  harness.api.before = ({ body }) => {
    const annotations = (body as { metadata?: { annotations?: object } } | undefined)?.metadata?.annotations;
    if (annotations && 'bellman.dev/accepted-config' in annotations)
      throw new ApiError(422, 'Invalid', 'metadata.annotations: Too long');
  };
  harness.editConfig(other);
  await harness.pass();
  assert.match(
    harness.annotation('config-error') ?? '',
    /refuses to store the accepted text: metadata\.annotations: Too long/,
  );
  assert.equal(harness.annotation('accepted-config'), good);
  assert.equal(harness.events('config').length, 2);
  await harness.stop();
});

test('the controller reports a bad text in event, metric and status even if the API server refuses the annotations', async () => {
  const harness = await started(good);
  harness.api.before = ({ method, path }) => {
    if (method === 'PATCH' && path === configPath)
      throw new ApiError(422, 'Invalid', 'metadata.annotations: Too long');
  };
  harness.editConfig(bad);
  await harness.pass();
  assert.match(harness.events('config').at(-1) ?? '', /^ConfigStale: .*address-pools\[0\]\.protocol/);
  assert.equal(harness.events('config').length, 2);
  assert.equal(await harness.metric('bellman_config_stale'), 1);
  assert.match(JSON.stringify(harness.status()), /"status":"stale"/);
  await harness.stop();
});

test('the controller repairs the copy even if the API server refuses the annotations of the ConfigMap', async () => {
  const harness = await started(good);
  harness.api.before = ({ method, path }) => {
    if (method === 'PATCH' && path === configPath)
      throw new ApiError(413, 'RequestEntityTooLarge', 'too large');
  };
  harness.editConfig(bad);
  await harness.pass();
  harness.api.remove(copyPath);
  await harness.pass(40_000);
  assert.equal(harness.annotation('accepted-config', copyPath), good);
  await harness.stop();
});

test('the controller counts each failed write of the copy', async () => {
  const harness = await started(good);
  let failures = 0;
  harness.api.before = ({ method, path }) => {
    if (method !== 'PATCH' || path !== copyPath || ++failures > 3) return;
    throw failures === 1
      ? new ApiError(409, 'Conflict', 'the object has been modified')
      : new ApiError(500, 'InternalError', 'no');
  };
  harness.editConfig(other);
  await harness.pass();
  assert.equal(harness.annotation('accepted-config', copyPath), other);
  const writes = (result: string) =>
    harness.metric('bellman_controller_writes_total', { object: 'configmap', result });
  assert.deepEqual([await writes('conflict'), await writes('error')], [1, 2]);
  await harness.stop();
});

test('the controller assigns no address between accepting a configuration and storing it', async () => {
  const harness = await started(other);
  let answer: () => void = () => {};
  harness.api.before = ({ method, path }) =>
    method === 'PATCH' && path === configPath
      ? new Promise((resolve) => {
          answer = resolve;
        })
      : undefined;
  harness.editConfig(good);
  await harness.pass();
  harness.service('web', { annotations: { 'bellman.dev/address-pool': 'b' } });
  await harness.pass();
  assert.deepEqual(harness.addresses('web'), [], 'the new configuration has no pool b');
  answer();
  await harness.pass();
  assert.equal(harness.annotation('accepted-config'), good);
  assert.match(harness.events('web')[0] ?? '', /^AllocationFailed: there is no pool b/);
  await harness.stop();
});

test('the controller touches no Service before it has accepted a first configuration', async () => {
  const harness = new ControllerHarness();
  harness.service('web');
  harness.setStatus('web', ['203.0.113.9']);
  harness.writes();
  await harness.start();
  assert.deepEqual(
    harness.writes().filter((write) => !write.includes('secrets')),
    [],
  );
  harness.editConfig(bad);
  await harness.pass();
  assert.equal(harness.annotation('config-status'), 'stale');
  assert.match(harness.events('config')[0] ?? '', /no configuration is in force/);
  assert.deepEqual(harness.addresses('web'), ['203.0.113.9']);
  await harness.stop();
});

test('the gate rejects a first configuration that would orphan addresses recorded on Services', async () => {
  const harness = new ControllerHarness();
  harness.service('web', { annotations: { 'metallb.universe.tf/ip-allocated-from-pool': 'old' } });
  harness.setStatus('web', ['203.0.113.9']);
  harness.editConfig(good);
  await harness.start();
  assert.match(harness.annotation('config-error') ?? '', /default\/web 203\.0\.113\.9/);
  assert.deepEqual(harness.addresses('web'), ['203.0.113.9']);
  await harness.stop();
});

test('the controller stores a large text compressed, and loads it again', async () => {
  const many = Array.from({ length: 800 }, (_, i) => pool(`p${i}`, `10.${i >> 8}.${i & 255}.0/24`));
  const large = config(...many);
  assert.ok(large.length > 32 * 1024);
  const harness = await started(large);
  assert.match(harness.annotation('accepted-config') ?? '', /^gzip:/);
  await harness.stop();
  harness.editConfig(bad);
  harness.service('web');
  await harness.start();
  assert.deepEqual(harness.addresses('web'), ['10.0.0.0']);
  await harness.stop();
});

test('the controller writes warnings into an annotation, and removes them once their cause is gone', async () => {
  const harness = await started(config(pool('a', '192.0.2.5/28')));
  assert.equal(harness.annotation('config-status'), 'active');
  assert.match(harness.annotation('config-warnings') ?? '', /192\.0\.2\.5\/28 has host bits set/);
  assert.equal(harness.log.filter((msg) => msg === 'configuration has warnings').length, 1);
  assert.match(JSON.stringify(harness.status()), /"warnings":"[^"]*host bits set/);
  await harness.stop();
  harness.writes();
  await harness.start();
  assert.deepEqual(harness.writes(), []);
  harness.editConfig(good);
  await harness.pass();
  assert.equal(harness.annotation('config-warnings'), undefined);
  await harness.stop();
});

test('the controller loads the text of the highest generation, even if an older text carries a later timestamp', async () => {
  const harness = await started(good);
  assert.equal(harness.annotation('accepted-generation'), '1');
  await harness.stop();
  const copy = harness.api.get(copyPath);
  assert.ok(copy);
  const ahead = { ...copy.metadata.annotations, 'bellman.dev/accepted-at': '2999-01-01T00:00:00.000Z' };
  harness.api.put(copyPath, { ...copy, metadata: { ...copy.metadata, annotations: ahead } });
  await harness.start();
  harness.editConfig(other);
  await harness.pass();
  await harness.stop();
  assert.equal(harness.annotation('accepted-generation'), '2');
  harness.api.put(copyPath, { ...copy, metadata: { ...copy.metadata, annotations: ahead } });
  harness.editConfig(bad);
  await harness.start();
  assert.equal(harness.annotation('accepted-config'), other);
  await harness.stop();
});

test('the controller truncates a long reason of a rejection in annotation, event and log', async () => {
  const harness = await started(good);
  const names = Array.from({ length: 40 }, (_, i) => `'${String(i).repeat(30)}é${'x'.repeat(400)}'`);
  harness.editConfig(`address-pools:\n- {name: a, protocol: bgp, addresses: [${names.join(', ')}]}\n`);
  await harness.pass();
  assert.equal(harness.annotation('config-status'), 'stale');
  assert.ok((harness.annotation('config-error') ?? '').length <= 4001);
  const [line] = harness.logLines.filter(({ level }) => level === 'error');
  assert.ok(String(line?.reason).length <= 16_001);
  assert.ok((harness.events('config').at(-1) ?? '').length <= 1024);
  await harness.stop();
});
