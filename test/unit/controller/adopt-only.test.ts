import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import { ControllerHarness, config, pool } from './controller-harness.ts';

/** A controller with `--adopt-only`, and Services whose addresses another program has assigned. */
async function adopting(services: Readonly<Record<string, readonly string[]>>): Promise<ControllerHarness> {
  const harness = new ControllerHarness();
  harness.editConfig(config(pool('a', '192.0.2.0/28')));
  for (const [name, ips] of Object.entries(services)) {
    harness.service(name);
    harness.setStatus(name, ips);
  }
  await harness.start(undefined, { adoptOnly: true });
  return harness;
}

function booksOf(harness: ControllerHarness): string[] {
  const { services } = harness.status() as {
    services: {
      service: string;
      addresses: { ip: string }[];
      refusal?: { cause: string; message: string };
    }[];
  };
  return services.map(
    ({ service, addresses, refusal }) =>
      `${service} ${addresses.map(({ ip }) => ip).join()}${refusal ? ` ${refusal.cause}: ${refusal.message}` : ''}`,
  );
}

/** The writes to Services, and the events that are not about the configuration. */
const written = (harness: ControllerHarness) => [
  ...harness.writes().filter((write) => write.includes('/services/')),
  ...harness.events().filter((event) => !event.startsWith('Config')),
];

test('with --adopt-only, the controller takes addresses into the books and writes nothing to Services', async () => {
  const harness = await adopting({ web: ['192.0.2.3'], waiting: [] });
  assert.deepEqual(booksOf(harness), ['default/web 192.0.2.3', 'default/waiting ']);
  harness.setStatus('waiting', ['192.0.2.4']);
  await harness.pass();
  assert.deepEqual(booksOf(harness), ['default/web 192.0.2.3', 'default/waiting 192.0.2.4']);
  harness.setStatus('web', ['192.0.2.5']);
  harness.deleteService('waiting');
  await harness.pass();
  assert.deepEqual(booksOf(harness), ['default/web 192.0.2.5']);
  assert.deepEqual(written(harness), []);
  await harness.stop();
});

test('with --adopt-only, the controller marks no Pods of dead nodes', async () => {
  for (const adoptOnly of [true, false]) {
    const harness = new ControllerHarness();
    harness.api.before = ({ path }) => {
      if (path.includes('/selfsubjectaccessreviews')) throw new ApiError(404, 'NotFound', 'not here');
    };
    harness.editConfig(`${config(pool('a', '192.0.2.0/28'))}dead-nodes: {mark-pods-not-ready: true}\n`);
    await harness.start(undefined, { adoptOnly });
    const { deadNodes } = harness.status() as { deadNodes?: object };
    assert.equal(deadNodes === undefined, adoptOnly);
    await harness.stop();
  }
});

test('with --adopt-only, the controller names addresses that no pool holds and addresses that two Services have', async () => {
  const harness = await adopting({ web: ['192.0.2.3'], other: ['192.0.2.3'], far: ['203.0.113.9'] });
  const [web, other, far] = booksOf(harness);
  assert.equal(web, 'default/web 192.0.2.3');
  assert.match(other ?? '', /^default\/other {2}address-in-use: its address 192.0.2.3: .*default\/web/);
  assert.equal(far, 'default/far 203.0.113.9 not-in-pool: its address 203.0.113.9 is in no pool; pools: a');
  const named = harness.logLines.filter(({ msg }) => msg === 'address not adopted');
  assert.deepEqual(
    named.map(({ service }) => service),
    ['default/other', 'default/far'],
  );
  assert.deepEqual(written(harness), []);
  await harness.stop();
});

test('with --adopt-only, an address that two Services have is adopted for the second one once the first one has a different address', async () => {
  const harness = await adopting({ web: ['192.0.2.3'], other: ['192.0.2.4'] });
  harness.setStatus('other', ['192.0.2.3']);
  await harness.pass();
  assert.match(booksOf(harness)[1] ?? '', /^default\/other {2}address-in-use: /);
  harness.setStatus('web', ['192.0.2.4']);
  await harness.pass();
  assert.deepEqual(booksOf(harness), ['default/web 192.0.2.4', 'default/other 192.0.2.3']);
  await harness.stop();
});

test('with --adopt-only, the first holder of a shared address keeps it in the books when it takes a port of the other Service', async () => {
  const harness = await adopting({});
  const annotations = { 'bellman.dev/allow-shared-ip': 'k' };
  const port = (number: number) => ({ annotations, ports: [{ port: number, protocol: 'TCP' }] });
  harness.service('first', port(80));
  harness.setStatus('first', ['192.0.2.3']);
  await harness.pass();
  harness.service('second', port(81));
  harness.setStatus('second', ['192.0.2.3']);
  await harness.pass();
  assert.deepEqual(booksOf(harness), ['default/first 192.0.2.3', 'default/second 192.0.2.3']);
  harness.service('first', port(81));
  await harness.pass();
  const [first, second] = booksOf(harness);
  assert.equal(first, 'default/first 192.0.2.3');
  assert.match(
    second ?? '',
    /^default\/second {2}address-in-use: .*port TCP\/81 on it is in use by default\/first/,
  );
  harness.service('second', port(82));
  await harness.pass();
  assert.deepEqual(booksOf(harness), ['default/first 192.0.2.3', 'default/second 192.0.2.3']);
  await harness.stop();
});

test('a controller that starts without --adopt-only keeps all adopted addresses', async () => {
  const harness = await adopting({ web: ['192.0.2.3'], old: ['192.0.2.0'], waiting: [] });
  await harness.stop();
  await harness.start();
  assert.deepEqual(harness.addresses('web'), ['192.0.2.3']);
  assert.deepEqual(harness.addresses('old'), ['192.0.2.0']);
  assert.deepEqual(harness.addresses('waiting'), ['192.0.2.1']);
  await harness.stop();
});
