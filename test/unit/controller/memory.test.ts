import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const source = (path: string) =>
  JSON.stringify(fileURLToPath(new URL(`../../../src/${path}`, import.meta.url)));

/** Decides about many new Services, and then receives them again with their addresses. Prints how many octets each Service takes. */
const program = `
  import { formatIp } from ${source('address/index.ts')};
  import { parseConfig } from ${source('config/index.ts')};
  import { Allocator } from ${source('controller/allocator/allocator.ts')};
  import { ServiceKeeper } from ${source('controller/services/kept-service.ts')};
  import { ServiceDecider } from ${source('controller/services/service-decider.ts')};
  import { ServiceStore } from ${source('controller/services/service-store.ts')};
  import { decodeService } from ${source('kubernetes/decode.ts')};
  import { objectKey } from ${source('kubernetes/model.ts')};

  const count = 10_000;
  const [keeper, store, allocator] = [new ServiceKeeper(), new ServiceStore(), new Allocator()];
  const decider = new ServiceDecider(allocator, store, { loadBalancerClass: undefined, adoptOnly: false });
  const parsed = parseConfig('address-pools: [{name: big, protocol: bgp, addresses: [10.0.0.0/8]}]');
  allocator.setConfig(parsed.value);
  const keys = Array.from({ length: count }, (_, i) => objectKey({ namespace: 'team-' + (i % 100), name: 's' + i }));
  // Each state has strings and lists of its own, as from the API server.
  const stateOf = (i, version, ip) => {
    const [namespace, name] = keys[i].split('/');
    return JSON.stringify({
      metadata: {
        namespace, name, uid: '5f3759df-0000-4000-8000-' + String(i).padStart(12, '0'),
        resourceVersion: String(version * count + i), creationTimestamp: '2026-01-01T00:00:00Z',
        annotations: ip ? { 'bellman.dev/ip-allocated-from-pool': 'big' } : {},
      },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ipFamilies: ['IPv4'] },
      status: { loadBalancer: ip ? { ingress: [{ ip, ipMode: 'VIP' }] } : {} },
    });
  };
  const take = (version, ipOf) => {
    for (const [i, key] of keys.entries()) {
      store.set(key, keeper.kept(decodeService(JSON.parse(stateOf(i, version, ipOf(key))))));
      decider.decide([key]);
    }
  };
  gc();
  const before = process.memoryUsage().heapUsed;
  take(1, () => undefined);
  take(2, (key) => formatIp(allocator.holdingOf(key)[0].address));
  gc();
  console.log((process.memoryUsage().heapUsed - before) / count);
  // These are in use until here, so the garbage collection above does not free them.
  if (store.size !== count || !keeper || allocator.waitingCount !== 0)
    throw new Error(store.size + ' Services, of which ' + allocator.waitingCount + ' wait');
`;

/** A Service takes about 930 octets. */
const mostOctets = 1020;

test('a Service with an address takes little memory in the controller', () => {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--expose-gc', '--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  );
  assert.equal(status, 0, stderr);
  assert.ok(Number(stdout) < mostOctets, `a Service takes ${stdout.trim()} octets`);
});
