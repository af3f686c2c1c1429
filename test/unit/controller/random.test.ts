import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import { ControllerHarness, config, pool } from './controller-harness.ts';

const names = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
const texts = [
  config(pool('one', '192.0.2.0-192.0.2.3'), pool('two', '198.51.100.0-198.51.100.1')),
  config(pool('one', '192.0.2.0-192.0.2.3', 'draining: true'), pool('two', '198.51.100.0-198.51.100.1')),
  config(pool('uno', '192.0.2.0-192.0.2.1'), pool('due', '192.0.2.2-192.0.2.3')),
  config(pool('two', '198.51.100.0-198.51.100.1')),
  'address-pools: nonsense',
] as const;

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('create'), name: fc.constantFrom(...names) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('delete'), name: fc.constantFrom(...names) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('ask'),
      name: fc.constantFrom(...names),
      pool: fc.constantFrom('one', 'two', 'uno', ''),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('type'),
      name: fc.constantFrom(...names),
      type: fc.constantFrom('ClusterIP', 'LoadBalancer'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wipe'), name: fc.constantFrom(...names) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('edit'), text: fc.nat(texts.length - 1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart') }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('trouble'), writes: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.integer({ min: 1, max: 400 }) }) },
);

/** Addresses that more than one Service shows. */
function shownTwice(harness: ControllerHarness): string[] {
  const shown = names.flatMap((name) => harness.addresses(name));
  return shown.filter((ip, i) => shown.indexOf(ip) !== i);
}

test('after any edits and failures, no two Services have the same address, memory equals the API, and a restart changes nothing', async () => {
  let writes = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), async (steps) => {
      const harness = new ControllerHarness();
      harness.editConfig(texts[0]);
      await harness.start();
      let failures = 0;
      // Checked at the end, because an assertion that fails within a request would only make the controller repeat the request.
      const twice: string[] = [];
      harness.api.before = ({ method }) => {
        twice.push(...shownTwice(harness));
        if (method === 'GET' || failures <= 0) return;
        failures--;
        throw new ApiError(0, 'ECONNRESET', 'lost');
      };
      for (const each of steps) {
        switch (each.kind) {
          case 'create':
            harness.service(each.name);
            break;
          case 'delete':
            harness.deleteService(each.name);
            break;
          case 'ask':
            if (harness.api.get(harness.servicePath(each.name)))
              harness.service(each.name, { annotations: { 'bellman.dev/address-pool': each.pool } });
            break;
          case 'type':
            if (harness.api.get(harness.servicePath(each.name)))
              harness.service(each.name, { type: each.type });
            break;
          case 'wipe':
            harness.setStatus(each.name, []);
            break;
          case 'edit':
            harness.editConfig(texts[each.text] ?? '');
            break;
          case 'restart':
            await harness.stop();
            await harness.start();
            break;
          case 'trouble':
            failures = each.writes;
            break;
          case 'pass':
            await harness.pass(each.ms);
            break;
        }
      }
      failures = 0;
      await harness.pass(70_000);
      assert.deepEqual([...twice, ...shownTwice(harness)], []);
      const before = names.map((name) => [name, harness.addresses(name)]);
      const { services, waiting } = harness.status() as {
        services: { service: string; addresses: { ip: string }[]; refusal?: object }[];
        waiting: string[];
      };
      for (const { service, addresses } of services)
        assert.deepEqual(
          harness.addresses(service.slice('default/'.length)),
          addresses.map(({ ip }) => ip),
          'the controller has the same addresses in memory as the API server has',
        );
      assert.deepEqual(
        new Set(waiting),
        new Set(services.filter(({ refusal }) => refusal).map(({ service }) => service)),
        'the Services that wait are those with a refusal',
      );
      for (const { addresses, refusal } of services) assert.ok(addresses.length > 0 || refusal);
      writes += harness.writes().length;
      await harness.stop();
      await harness.start();
      assert.deepEqual(harness.writes(), []);
      assert.deepEqual(
        names.map((name) => [name, harness.addresses(name)]),
        before,
      );
      await harness.stop();
    }),
    { numRuns: 15 },
  );
  assert.ok(writes > 100, `${writes} writes`);
});
