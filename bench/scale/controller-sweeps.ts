import { formatIp } from '../../src/address/index.ts';
import type { Config } from '../../src/config/config.ts';
import { Allocator } from '../../src/controller/allocator/allocator.ts';
import { ServiceDecider } from '../../src/controller/services/service-decider.ts';
import { ServiceStore } from '../../src/controller/services/service-store.ts';
import { objectKey, type Service } from '../../src/kubernetes/model.ts';
import { service } from '../../test/unit/speaker/fixtures.ts';
import { events } from './events.ts';
import { addressOf, namespaceOf, parsed, poolConfig, serviceAt } from './fixtures.ts';
import type { Sweep, Work } from './sweep.ts';

const serviceSizes = [1000, 3000, 10_000, 30_000, 100_000] as const;
const quickServices = [200, 800, 3200] as const;

/** The part of the controller that decides about Services. All Services given to the constructor have addresses afterwards. */
class ScaledController {
  readonly allocator = new Allocator();
  readonly store = new ServiceStore();
  readonly decider = new ServiceDecider(this.allocator, this.store, {
    loadBalancerClass: undefined,
    adoptOnly: false,
  });

  constructor(config: Config, services: readonly Service[]) {
    this.allocator.setConfig(config);
    for (const each of services) {
      this.store.set(objectKey(each), each);
      this.allocator.learn(each);
    }
    this.decide(this.store.keys());
  }

  decide(keys: Iterable<string>): void {
    this.decider.decide(keys);
  }
}

const held = (count: number) => Array.from({ length: count }, (_, i) => serviceAt(i));
const wanting = (count: number, over: Partial<Service> = {}) =>
  Array.from({ length: count }, (_, i) => service(`new-${i}`, [], { namespace: namespaceOf(i), ...over }));

/**
 * A Service goes, a new one comes, and its status shows its address. Each event replaces another Service and so frees another address. V8 leaves a
 * deleted entry of a Map in the chain of its hash until the Map is full. If the same address became free each time, each search for it would walk a
 * long chain.
 */
function replacements(
  config: Config,
  services: readonly Service[],
  over: (i: number) => Partial<Service>,
): Work {
  const controller = new ScaledController(config, services);
  const keys = services.map(objectKey);
  const change = (key: string, service: Service | undefined) => {
    controller.store.set(key, service);
    controller.decide([key]);
  };
  return events(services.length, (i, lap) => {
    const next = service(`next-${lap}-${i}`, [], { ...over(i), resourceVersion: '1' });
    const key = objectKey(next);
    change(keys[i] ?? '', undefined);
    change(key, next);
    const ingress = controller.allocator.holdingOf(key).map(({ address }) => ({ ip: formatIp(address) }));
    if (ingress.length === 0) throw new Error('a Service without an address');
    change(key, { ...next, ingress, resourceVersion: '2' });
    keys[i] = key;
  });
}

function poolsConfig(count: number, more: (i: number) => string): Config {
  const pools = Array.from(
    { length: count },
    (_, i) =>
      `- {name: p${i}, protocol: bgp, addresses: [10.${i >> 8}.${i & 255}.0/24]${more(i) && `, ${more(i)}`}}`,
  );
  return parsed(`address-pools:\n${pools.join('\n')}\n`);
}

const tinyPools = (count: number) =>
  parsed(
    `address-pools:\n${Array.from({ length: count }, (_, i) => `- {name: p${i}, protocol: bgp, addresses: [10.0.${i >> 8}.${i & 255}/32]}`).join('\n')}\n`,
  );

/** New Services want an address, but other Services hold all addresses of the pools. */
function waiting(services: number, pools: number): Work {
  const all = held(pools);
  const controller = new ScaledController(tinyPools(pools), all);
  for (const each of wanting(services)) controller.store.set(objectKey(each), each);
  return { units: 1, run: () => controller.decide(controller.store.keys()) };
}

/** So few Services that one pool has addresses for all. */
const fewServices = 100;

const sharing = (i: number): Partial<Service> => ({
  namespace: 'default',
  annotations: { 'bellman.dev/allow-shared-ip': 'all' },
  ports: [{ protocol: i % 2 === 0 ? 'TCP' : 'UDP', port: 1 + (i >> 1) }],
});

const byServices = {
  part: 'controller',
  by: 'Services',
  sizes: serviceSizes,
  quickSizes: quickServices,
} as const;
const byPools = {
  part: 'controller',
  by: 'pools',
  sizes: [1, 10, 100, 1000, 4000],
  quickSizes: [10, 50, 250],
} as const;

export const controllerSweeps: readonly Sweep[] = [
  {
    ...byServices,
    work: 'one Service goes and another comes',
    kind: 'event',
    prepare: (services) =>
      replacements(poolConfig('bgp'), held(services), (i) => ({ namespace: namespaceOf(i) })),
  },
  {
    ...byServices,
    work: 'addresses for all new Services',
    kind: 'whole',
    prepare: (services) => {
      const all = wanting(services);
      return {
        units: 1,
        run: () => {
          const allocator = new Allocator();
          allocator.setConfig(poolConfig('bgp'));
          for (const each of all) allocator.reconcile(each);
        },
      };
    },
  },
  {
    ...byServices,
    work: 'a configuration edit: decisions about all Services',
    kind: 'whole',
    prepare: (services) => {
      const controller = new ScaledController(poolConfig('bgp'), held(services));
      const config = poolConfig('bgp', 'avoid-buggy-ips: true');
      return {
        units: 1,
        run: () => {
          controller.allocator.setConfig(config);
          controller.decide(controller.store.keys());
        },
      };
    },
  },
  {
    ...byPools,
    work: 'one Service goes and another comes, no pool is restricted',
    kind: 'event',
    prepare: (pools) =>
      replacements(
        poolsConfig(pools, () => ''),
        wanting(fewServices),
        () => ({}),
      ),
  },
  {
    ...byPools,
    work: 'one Service goes and another comes, each pool is restricted to one namespace',
    kind: 'event',
    prepare: (pools) => {
      const over = { namespace: namespaceOf(pools - 1) };
      const config = poolsConfig(pools, (i) => `namespaces: [${namespaceOf(i)}]`);
      return replacements(config, wanting(fewServices, over), () => over);
    },
  },
  {
    ...byPools,
    work: 'one pass over 500 waiting Services while all pools are full',
    kind: 'whole',
    prepare: (pools) => waiting(500, pools),
  },
  {
    part: 'controller',
    by: 'Services',
    sizes: [500, 1000, 2000, 4000],
    quickSizes: [125, 250, 500, 1000],
    work: 'one pass over waiting Services while 100 pools are full',
    kind: 'whole',
    prepare: (services) => waiting(services, 100),
  },
  {
    part: 'controller',
    by: 'Services',
    sizes: [500, 1000, 2000, 4000, 8000],
    quickSizes: [125, 250, 500, 1000],
    work: 'all Services share one address: addresses for all',
    kind: 'whole',
    prepare: (services) => {
      const all = Array.from({ length: services }, (_, i) => service(`s${i}`, [], sharing(i)));
      return {
        units: 1,
        run: () => {
          const allocator = new Allocator();
          allocator.setConfig(poolConfig('bgp'));
          for (const each of all) allocator.reconcile(each);
        },
      };
    },
  },
  {
    part: 'controller',
    by: 'Services',
    sizes: [500, 1000, 2000, 4000, 8000],
    quickSizes: [125, 250, 500, 1000],
    work: 'all Services share one address: one goes and another comes',
    kind: 'event',
    prepare: (services) => {
      const all = Array.from({ length: services }, (_, i) => service(`s${i}`, [addressOf(1)], sharing(i)));
      return replacements(poolConfig('bgp'), all, sharing);
    },
  },
];
