/**
 * A model of the allocator. It applies the same rules by brute force to pools of a few addresses. The allocator must agree with it
 * through random histories of Services, configurations and restarts.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Family, formatIp, type IpAddress, rangeContains, sameIp } from '../../src/address/index.ts';
import { anySelectorMatches, type PoolConfig } from '../../src/config/index.ts';
import { Allocator, type Outcome } from '../../src/controller/allocator/allocator.ts';
import { objectKey, type Service } from '../../src/kubernetes/model.ts';
import { config, pool, service } from '../unit/speaker/fixtures.ts';
import { ip } from './addresses.ts';

const production = { matchLabels: { env: 'production' }, matchExpressions: [] };
const web = { matchLabels: { tier: 'web' }, matchExpressions: [] };
const configs: readonly (readonly PoolConfig[])[] = [
  [pool('four', ['192.0.2.0/30'])],
  [pool('both', ['192.0.2.0/30', '2001:db8::/126'])],
  [pool('four', ['192.0.2.0/31']), pool('rest', ['192.0.2.2/31', '2001:db8::/127'])],
  [
    pool('four', ['192.0.2.0/29'], { draining: true }),
    pool('six', ['2001:db8::/127'], { autoAssign: false }),
  ],
  [
    pool('four', ['192.0.2.0/30', '2001:db8::/126'], { limitPerNamespace: 1, priority: 1 }),
    pool('rest', ['192.0.2.4/31'], { limitPerNamespace: 2 }),
  ],
  [
    pool('four', ['192.0.2.0/31'], { namespaces: ['team'] }),
    pool('rest', ['192.0.2.2/31'], { namespaceSelectors: [production] }),
    pool('six', ['2001:db8::/127'], { serviceSelectors: [web], priority: 3 }),
    pool('both', ['192.0.2.4/31', '2001:db8::2/127'], { limitPerNamespace: 3 }),
  ],
  [pool('both', ['192.0.2.254/31', '192.0.2.0/30', '192.0.3.0/31'], { avoidBuggyIps: true })],
  [
    pool('four', ['192.0.2.0/31'], { shareAcrossNamespaces: true }),
    pool('rest', ['192.0.2.2/31', '2001:db8::/127']),
  ],
  [],
];
const namespaces = new Map([
  ['default', {}],
  ['team', { env: 'production' }],
]);
const universe: readonly IpAddress[] = [
  ...['0', '1', '2', '3', '4', '5', '6', '7', '254', '255'].map((host) => ip(`192.0.2.${host}`)),
  ...['192.0.3.0', '192.0.3.1', '2001:db8::', '2001:db8::1', '2001:db8::2', '2001:db8::3'].map(ip),
];
const prefix = 'bellman.dev/';
const recordName = `${prefix}ip-allocated-from-pool`;

const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.option(arbitrary, { nil: undefined, freq: 3 }).chain((value) => fc.constantFrom(value, undefined));
const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const request = fc.record({
  team: fc.boolean(),
  web: fc.boolean(),
  key: rarely(fc.constantFrom('k', 'l')),
  otherKey: rarely(fc.constantFrom('k', 'l')),
  ports: fc.uniqueArray(fc.constantFrom(80, 81, 82), { minLength: 1, maxLength: 2 }),
  local: fc.boolean(),
  policy: fc.constantFrom<Service['ipFamilyPolicy'][]>('SingleStack', 'PreferDualStack', 'RequireDualStack'),
  families: fc.constantFrom<Service['ipFamilies'][]>(['IPv4', 'IPv6'], ['IPv6', 'IPv4'], ['IPv4']),
  requested: rarely(
    fc.constantFrom(
      '192.0.2.1',
      '192.0.2.2',
      '2001:db8::1',
      '8.8.8.8',
      '192.0.2.1,2001:db8::1',
      '192.0.2.255',
      'x',
    ),
  ),
  pool: rarely(fc.constantFrom('four', 'rest', 'six', 'nope,both', 'both,four')),
});
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('ask' as const), name, request }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), name }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('config' as const), index: fc.nat(configs.length - 1) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

function serviceOf(serviceName: string, each: Request): Service {
  const annotations = Object.entries({
    [`${prefix}allow-shared-ip`]: each.key,
    'metallb.io/allow-shared-ip': each.otherKey,
    [`${prefix}loadBalancerIPs`]: each.requested,
    [`${prefix}address-pool`]: each.pool,
  }).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
  return service(serviceName, [], {
    namespace: serviceName < 'd' ? 'default' : each.team ? 'team' : 'default',
    labels: each.web ? { tier: 'web' } : {},
    annotations: Object.fromEntries(annotations),
    ports: each.ports.map((port) => ({ protocol: 'TCP' as const, port })),
    externalTrafficPolicy: each.local ? 'Local' : 'Cluster',
    selector: { app: serviceName < 'c' ? 'x' : 'y' },
    ipFamilies: each.families,
    ipFamilyPolicy:
      each.families.length === 1 && each.policy === 'RequireDualStack' ? 'SingleStack' : each.policy,
  });
}

/** A number for each address. The model compares addresses thousands of times in each step, and numbers cost less than texts. */
type AddressKey = number | bigint;
const keyOf = ({ family, value }: IpAddress): AddressKey => (family === 4 ? Number(value) : value);

interface Known {
  readonly service: Service;
  readonly outcome: Outcome;
  /** When the Service got each of its addresses. */
  readonly since: ReadonlyMap<AddressKey, number>;
}

/** The allocator's rules, applied by brute force. */
class Model {
  readonly known = new Map<string, Known>();
  #pools: readonly PoolConfig[] = [];
  #poolsByAddress: ReadonlyMap<AddressKey, PoolConfig> = new Map();
  #time = 0;

  get pools(): readonly PoolConfig[] {
    return this.#pools;
  }

  set pools(pools: readonly PoolConfig[]) {
    this.#pools = pools;
    this.#poolsByAddress = new Map(
      universe.flatMap((address) => {
        const found = pools.find(({ ranges }) => ranges.some((range) => rangeContains(range, address)));
        return found ? [[keyOf(address), found] as const] : [];
      }),
    );
  }

  remember(key: string, service: Service, outcome: Outcome): void {
    const before = this.known.get(key)?.since;
    const since = new Map(
      outcome.assigned.map(({ address }) => {
        const each = keyOf(address);
        return [each, before?.get(each) ?? ++this.#time] as const;
      }),
    );
    this.known.set(key, { service, outcome, since });
  }

  /** Recomputes which Service got an address first. After a restart, the order in which the allocator learns the Services decides that. */
  restart(): void {
    const all = [...this.known];
    this.known.clear();
    for (const [key, { service, outcome }] of all) this.remember(key, service, outcome);
  }

  poolOf(address: IpAddress): PoolConfig | undefined {
    return this.#poolsByAddress.get(keyOf(address));
  }

  holders(address: IpAddress, but: string): Service[] {
    const found: Service[] = [];
    const held = keyOf(address);
    for (const [key, { service: holder, since }] of this.known)
      if (since.has(held) && key !== but) found.push(holder);
    return found;
  }

  /** The holders that got the address before this Service. */
  seniors(of: Service, address: IpAddress): Service[] {
    const held = keyOf(address);
    const own = this.known.get(objectKey(of))?.since.get(held) ?? Number.POSITIVE_INFINITY;
    return this.holders(address, objectKey(of)).filter(
      (other) => (this.known.get(objectKey(other))?.since.get(held) ?? 0) < own,
    );
  }

  mayShare(one: Service, other: Service): boolean {
    const ports = (of: Service) => of.ports.map(({ port }) => port);
    const backends = (of: Service) => (of.externalTrafficPolicy === 'Local' ? of.selector.app : '');
    return (
      keysOf(one).some((key) => keysOf(other).includes(key)) &&
      !ports(one).some((port) => ports(other).includes(port)) &&
      backends(one) === backends(other)
    );
  }

  mayKeep(of: Service, address: IpAddress): boolean {
    return (
      this.poolOf(address) !== undefined &&
      this.seniors(of, address).every((other) => this.mayShare(of, other))
    );
  }

  mayJoin(of: Service, address: IpAddress): boolean {
    const found = this.poolOf(address);
    return (
      found !== undefined &&
      this.holders(address, objectKey(of)).every(
        (other) =>
          this.mayShare(of, other) && (of.namespace === other.namespace || found.shareAcrossNamespaces),
      )
    );
  }

  /** Services that got one of this Service's addresses later than this Service, and may no longer share the address with it. */
  displacedBy(of: Service): Service[] {
    const known = this.known.get(objectKey(of));
    return (known?.outcome.assigned ?? []).flatMap(({ address }) => {
      const seniors = this.seniors(of, address);
      return this.holders(address, objectKey(of)).filter(
        (other) => !seniors.includes(other) && !this.mayShare(of, other),
      );
    });
  }

  /** Whether the Service may hold the address beside its other holders. */
  isLegal(of: Service, address: IpAddress): boolean {
    return (
      this.poolOf(address) !== undefined &&
      this.holders(address, objectKey(of)).every((other) => this.mayShare(of, other))
    );
  }

  heldIn(namespace: string, { name: poolName }: PoolConfig, but: string): Set<AddressKey> {
    const held = new Set<AddressKey>();
    for (const [key, { service: holder, outcome }] of this.known)
      if (key !== but && holder.namespace === namespace)
        for (const { address } of outcome.assigned)
          if (this.poolOf(address)?.name === poolName) held.add(keyOf(address));
    return held;
  }

  /** Whether the Service may get this new address. `others` are its addresses of the other family. */
  mayGet(of: Service, address: IpAddress, others: readonly IpAddress[]): boolean {
    const found = this.poolOf(address);
    if (!found || !this.mayJoin(of, address)) return false;
    const admitted =
      (found.namespaces.length + found.namespaceSelectors.length === 0 ||
        found.namespaces.includes(of.namespace) ||
        (found.namespaceSelectors.length > 0 &&
          anySelectorMatches(found.namespaceSelectors, namespaces.get(of.namespace) ?? {}))) &&
      anySelectorMatches(found.serviceSelectors, of.labels);
    const last = address.value & 255n;
    const isAvoided = found.avoidBuggyIps && address.family === 4 && (last === 0n || last === 255n);
    if (found.draining || !admitted || (isAvoided && this.holders(address, objectKey(of)).length === 0))
      return false;
    const held = this.heldIn(of.namespace, found, objectKey(of));
    const after = new Set([
      ...held,
      ...[address, ...others].filter((each) => this.poolOf(each) === found).map(keyOf),
    ]);
    const isNew = !held.has(keyOf(address));
    if (found.limitPerNamespace !== undefined && isNew && after.size > found.limitPerNamespace) return false;
    const { addresses, pools } = requestOf(of);
    const requested = addresses.find(({ family }) => family === address.family);
    if (pools.length > 0 && !pools.includes(found.name)) return false;
    if (requested) return sameIp(requested, address);
    return pools.length > 0 || found.autoAssign;
  }

  isAskedFor(of: Service, { address, allocatedFrom }: Outcome['assigned'][number]): boolean {
    const { addresses, pools } = requestOf(of);
    const requested = addresses.find(({ family }) => family === address.family);
    if (requested) return sameIp(requested, address);
    return (
      pools.length === 0 || pools.includes(this.poolOf(address)?.name ?? '') || pools.includes(allocatedFrom)
    );
  }

  /** Whether some assignment fulfils the whole request and contains each held address that the Service asks for and may keep. */
  isPossible(of: Service, before: Outcome['assigned']): boolean {
    const options = familiesOf(of).map((family) => {
      const kept = before.find((each) => each.address.family === family && this.mayKeep(of, each.address));
      if (kept && this.isAskedFor(of, kept)) return { isKept: true, addresses: [kept.address] };
      return { isKept: false, addresses: universe.filter((address) => address.family === family) };
    });
    const [first, second] = options;
    for (const one of first?.addresses ?? [])
      for (const two of second?.addresses ?? [undefined]) {
        const isLegal = (
          address: IpAddress | undefined,
          isKept: boolean | undefined,
          other: IpAddress | undefined,
        ) => address === undefined || isKept || this.mayGet(of, address, other ? [other] : []);
        if (isLegal(one, first?.isKept, two) && isLegal(two, second?.isKept, one)) return true;
      }
    return false;
  }
}

function keysOf(of: Service): string[] {
  return [of.annotations[`${prefix}allow-shared-ip`], of.annotations['metallb.io/allow-shared-ip']].flatMap(
    (key) => key ?? [],
  );
}

function requestOf(of: Service): { addresses: IpAddress[]; pools: string[] } {
  const list = (text: string | undefined) => (text ?? '').split(',').filter((item) => item !== '');
  const requested = list(of.annotations[`${prefix}loadBalancerIPs`]).filter((item) => item !== 'x');
  return { addresses: requested.map(ip), pools: list(of.annotations[`${prefix}address-pool`]) };
}

function familiesOf({ ipFamilies, ipFamilyPolicy }: Service): Family[] {
  const all = ipFamilies.map((each) => (each === 'IPv4' ? 4 : 6));
  return ipFamilyPolicy === 'SingleStack' ? all.slice(0, 1) : all;
}

function isInvalid(of: Service): boolean {
  const families = familiesOf(of);
  return (
    of.annotations[`${prefix}loadBalancerIPs`] === 'x' ||
    new Set(keysOf(of)).size > 1 ||
    requestOf(of).addresses.some(({ family }) => !families.includes(family))
  );
}

/** The Service as the API shows it. */
function shown({ service: of, outcome }: Pick<Known, 'service' | 'outcome'>): Service {
  const record = [...new Set(outcome.assigned.map(({ allocatedFrom }) => allocatedFrom))].join(',');
  return {
    ...of,
    ingress: outcome.assigned.map(({ address }) => ({ ip: formatIp(address) })),
    annotations: { ...of.annotations, ...(record ? { [recordName]: record } : {}) },
  };
}

/** Runs an allocator beside the model and compares the two. */
class Trial {
  readonly model = new Model();
  allocator = new Allocator();
  #hasOpened = false;

  constructor() {
    this.allocator.setNamespaces(namespaces);
    this.setConfig(0);
  }

  setConfig(index: number): void {
    this.model.pools = configs[index] ?? [];
    this.allocator.setConfig(config([...this.model.pools], []));
    this.#hasOpened = true;
    this.reconcileAll();
  }

  reconcileAll(): void {
    for (const key of new Set([...this.allocator.waiting(), ...this.model.known.keys()])) {
      const known = this.model.known.get(key);
      if (known) this.ask(known.service);
    }
    this.serveWaiting();
  }

  /**
   * Reconciles the waiting Services until nothing changes. The controller reconsiders them only after a decision with `opensAddresses`,
   * a release, or a new configuration. At any other time, this method must change nothing.
   */
  serveWaiting(): void {
    const hasOpened = this.#hasOpened;
    const stateBefore = this.state();
    this.#reconcileWaiting();
    if (!hasOpened) assert.equal(this.state(), stateBefore, 'a Service waited although it could be served');
    this.#hasOpened = false;
  }

  #reconcileWaiting(): void {
    for (let before = ''; before !== this.state(); ) {
      before = this.state();
      for (const key of this.allocator.waiting()) {
        const known = this.model.known.get(key);
        if (known) this.ask(known.service);
      }
    }
  }

  ask(of: Service): void {
    const key = objectKey(of);
    const known = this.model.known.get(key);
    const before = known?.outcome.assigned ?? [];
    const isPossible = !isInvalid(of) && this.model.isPossible(of, before);
    const keepable = before.filter(
      ({ address }) => familiesOf(of).includes(address.family) && this.model.mayKeep(of, address),
    );
    const outcome = this.allocator.reconcile(of);
    const now = outcome.assigned;
    if (outcome.opensAddresses) this.#hasOpened = true;
    const isComplete = outcome.refusal === undefined && now.length === familiesOf(of).length;
    assert.equal(
      isComplete,
      isPossible,
      `refused although possible, or granted although impossible: ${outcome.refusal?.message}`,
    );
    if (!isComplete)
      assert.ok(
        outcome.refusal || of.ipFamilyPolicy === 'PreferDualStack',
        'an incomplete assignment has no refusal',
      );
    if (now.length === 0) assert.ok(outcome.refusal, 'nothing was assigned, and there is no refusal');
    assert.equal(
      this.allocator.waiting().includes(key),
      !isComplete,
      'a Service waits exactly when it lacks an address',
    );
    for (const kept of keepable) {
      const there = now.find(({ address }) => address.family === kept.address.family);
      assert.ok(there, 'lost an address that it may keep');
      if (sameIp(there.address, kept.address)) continue;
      assert.ok(!this.model.isAskedFor(of, kept), 'moved away from an address that it asked for');
      assert.ok(this.model.isAskedFor(of, there), 'moved to an address that it did not ask for');
    }
    for (const { address } of now) {
      if (keepable.some((kept) => sameIp(kept.address, address))) continue;
      const others = now.filter((each) => each.address.family !== address.family).map((each) => each.address);
      assert.ok(this.model.mayGet(of, address, others), `${formatIp(address)} was given against the rules`);
    }
    this.model.remember(key, of, outcome);
    const displaced = this.model.displacedBy(of);
    assert.deepEqual(
      new Set(outcome.displaced),
      new Set(displaced.map((other) => objectKey(other))),
      'the allocator and the model displaced different Services',
    );
    for (const other of outcome.displaced) {
      const affected = this.model.known.get(other);
      if (affected) this.ask(affected.service);
    }
  }

  release(key: string): void {
    if (this.allocator.release(key).length > 0) this.#hasOpened = true;
    this.model.known.delete(key);
  }

  restart(): void {
    const before = this.state();
    const holdingsBefore = this.holdings();
    const restarted = new Allocator();
    restarted.setNamespaces(namespaces);
    restarted.setConfig(config([...this.model.pools], []));
    for (const known of this.model.known.values()) restarted.learn(shown(known));
    this.model.restart();
    const waiting = this.allocator.waiting();
    this.allocator = restarted;
    assert.equal(this.holdings(), holdingsBefore, 'the restarted allocator did not learn the same holdings');
    for (const known of this.model.known.values()) this.ask(shown(known));
    assert.deepEqual(
      new Set(this.allocator.waiting()),
      new Set(waiting),
      'the Services that wait are not the same after a restart',
    );
    assert.equal(this.state(), before, 'decided differently after a restart');
  }

  check(): void {
    for (const { service: of, outcome } of this.model.known.values())
      for (const { address } of outcome.assigned)
        assert.ok(this.model.isLegal(of, address), 'a Service holds an address that it may not hold');
    for (const { pool: poolName, family, size, free } of this.allocator.usage()) {
      const found = this.model.pools.find((each) => each.name === poolName);
      const usable = universe.filter((address) => {
        const last = address.value & 255n;
        const isAvoided = found?.avoidBuggyIps && family === 4 && (last === 0n || last === 255n);
        return address.family === family && this.model.poolOf(address) === found && !isAvoided;
      });
      assert.equal(size, BigInt(usable.length));
      assert.equal(
        free,
        BigInt(usable.filter((address) => this.model.holders(address, '').length === 0).length),
      );
    }
    for (const { pool: poolName, namespace, held } of this.allocator.heldByNamespace()) {
      const found = this.model.pools.find((each) => each.name === poolName);
      assert.equal(held, found && this.model.heldIn(namespace, found, '').size);
    }
  }

  holdings(): string {
    return [...this.allocator.assigned()]
      .map((each) => `${each.service} ${formatIp(each.address)} ${each.pool} ${each.allocatedFrom}`)
      .sort()
      .join('\n');
  }

  state(): string {
    const usage = this.allocator
      .usage()
      .map((each) => `${each.pool} ${each.family} ${each.size} ${each.free}`);
    return `${this.holdings()}\n${usage.join('\n')}`;
  }
}

/** Checks the allocator through random histories. When a history fails, fast-check searches for a shorter one that fails too. */
export function checkAllocator({ runs, steps }: { readonly runs: number; readonly steps: number }): void {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: Math.min(20, steps), maxLength: steps, size: 'max' }),
      (history) => {
        const trial = new Trial();
        for (const each of history) {
          switch (each.kind) {
            case 'config':
              trial.setConfig(each.index);
              break;
            case 'release':
              trial.release(`default/${each.name}`);
              trial.release(`team/${each.name}`);
              trial.serveWaiting();
              break;
            case 'ask':
              trial.ask(serviceOf(each.name, each.request));
              trial.serveWaiting();
              break;
            case 'restart':
              trial.restart();
              break;
          }
          trial.check();
        }
      },
    ),
    { numRuns: runs },
  );
}
