import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ServiceStore } from '../../../src/controller/services/service-store.ts';
import { objectKey } from '../../../src/kubernetes/model.ts';
import { service } from '../speaker/fixtures.ts';

describe('ServiceStore.showing()', () => {
  test('finds the Services whose status shows an address, whatever the order of their changes', () => {
    const address = fc.constantFrom('192.0.2.1', '192.0.2.2');
    const change = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      // A status may show an address twice, and may be gone.
      addresses: fc.option(fc.array(address, { maxLength: 3 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40, size: 'max' }), (changes) => {
        const store = new ServiceStore();
        const shown = new Map<string, readonly string[]>();
        for (const { name, addresses } of changes) {
          const object = addresses && service(name, addresses, { resourceVersion: '' });
          const key = objectKey(service(name, []));
          store.set(key, object);
          shown.set(key, addresses ?? []);
          for (const ip of ['192.0.2.1', '192.0.2.2']) {
            const expected = [...shown].filter(([, all]) => all.includes(ip)).map(([key]) => key);
            assert.deepEqual([...store.showing(ip)].sort(), expected.sort());
          }
        }
      }),
    );
  });
});
