/**
 * Fuzzes what the controller and the speaker do with objects that users may write: Services with any annotations, ConfigMaps, Secrets, Nodes
 * and EndpointSlices. Each object is decoded. The controller then judges the ConfigMap and decides about the Services, and the speaker
 * computes its plan.
 *
 * The decoder may refuse an object with `InvalidObject`. No object raises any other exception, and text meant for people is short and
 * printable.
 */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import type { BgpSpeaker } from '../../src/bgp/index.ts';
import { recordAnnouncing } from '../../src/cluster/announcing.ts';
import { readMembershipKeys } from '../../src/cluster/membership-keys.ts';
import { configMapName, requestPrefixes } from '../../src/cluster/names.ts';
import { Allocator } from '../../src/controller/allocator/allocator.ts';
import { unknownAnnotations } from '../../src/controller/allocator/request.ts';
import { judgeConfigMap } from '../../src/controller/config/config-verdict.ts';
import { ServiceDecider } from '../../src/controller/services/service-decider.ts';
import { ServiceStore } from '../../src/controller/services/service-store.ts';
import type { RawObject } from '../../src/kubernetes/api.ts';
import {
  decodeConfigMap,
  decodeEndpointSlice,
  decodeNode,
  decodeSecret,
  decodeService,
} from '../../src/kubernetes/decode.ts';
import { objectKey } from '../../src/kubernetes/model.ts';
import { InvalidObject } from '../../src/kubernetes/object-reader.ts';
import { AcceptedConfigTracker } from '../../src/speaker/accepted-config-tracker.ts';
import { NodeSpeaker } from '../../src/speaker/node-speaker.ts';
import { Guard } from '../../src/telemetry/guard.ts';
import { Turns } from '../../src/turns.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { config, peer, pool } from '../unit/speaker/fixtures.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';
import type { FuzzTarget, Meter } from './target.ts';

const maxObjects = 6;
const maxTextCharacters = 1024;
/** The reason why a ConfigMap is rejected names up to ten errors. It is cut after 4,000 characters. */
const maxConfigErrorCharacters = 4096;
const maxLineOctets = 4096;
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const configuration = config(
  [
    pool('public', ['198.51.100.0/28', '2001:db8::/124'], { limitPerNamespace: 2 }),
    pool('office', ['192.0.2.240/28'], { protocols: ['layer2'], l2Advertisements: [] }),
  ],
  [peer('router', { passwordSecret: { name: 'tor', key: 'password' } })],
);
const configText = `peers: [{my-asn: 64512, peer-asn: 64500, peer-address: 10.0.0.1}]
address-pools:
- {name: public, protocol: bgp, addresses: [198.51.100.0/24]}
- {name: office, protocol: layer2, addresses: [192.0.2.240-192.0.2.250]}
`;

export const kubernetesObjects: FuzzTarget = {
  name: 'kubernetes-objects',
  weight: 1,
  budget: { cpuMs: 60, heapOctets: 48 * 1024 * 1024 },
  expectedVerdicts: ['handled'],
  run: (random, meter) => new Scenario(random, meter).run(),
};

/** A controller and a speaker without API server and sockets. */
class Scenario {
  readonly #random: Random;
  readonly #meter: Meter;
  readonly #lines: string[] = [];
  readonly #allocator = new Allocator();
  readonly #services = new ServiceStore();
  readonly #decider = new ServiceDecider(this.#allocator, this.#services, {
    loadBalancerClass: undefined,
    adoptOnly: false,
  });
  readonly #accepted: AcceptedConfigTracker;
  readonly #speaker: NodeSpeaker;
  #version = 0;

  constructor(random: Random, meter: Meter) {
    this.#random = random;
    this.#meter = meter;
    this.#allocator.setConfig(configuration);
    const logger = pino({ base: null }, { write: (line) => void this.#lines.push(line) });
    this.#accepted = new AcceptedConfigTracker(logger);
    const guard = new Guard({ logger });
    guard.failed = (_, error) => {
      throw error;
    };
    this.#speaker = new NodeSpeaker({
      nodeName: 'node-1',
      namespace: 'bellman-system',
      isOurs: () => true,
      isOnLink: () => true,
      leavesWhenCordoned: random.oneIn(2),
      ignoresExcludeLabel: false,
      bgp: silentBgp,
      bfd: { setSessions: () => undefined },
      layer2: { use: () => undefined, table: () => undefined, change: () => undefined },
      onPeerTrouble: ({ reason }) => checkText(reason),
      onLeaving: () => undefined,
      clock: new VirtualClock(),
      logger,
      guard,
      turns: new Turns(new VirtualClock()),
    });
    this.#speaker.setConfig(configuration);
    this.#speaker.setNode('node-1', decodeNode(node('node-1')));
    this.#speaker.start();
  }

  run(): string {
    let verdict = 'invalid object';
    for (let left = 1 + this.#random.below(maxObjects); left > 0; left--) {
      try {
        this.#step();
        verdict = 'handled';
      } catch (error) {
        if (!(error instanceof InvalidObject)) throw error;
      }
    }
    for (const { reason } of this.#speaker.results.refusals()) checkText(reason);
    for (const line of this.#lines)
      assert.ok(line.length <= maxLineOctets, `a log line has ${line.length} octets: ${line.slice(0, 500)}`);
    return verdict;
  }

  #step(): void {
    const random = this.#random;
    switch (random.below(6)) {
      case 0:
        return this.#configMap({ metadata: this.#metadata('config'), data: this.#configData() });
      case 1:
        return this.#secret(random.pick(['tor', 'bellman-membership']));
      case 2:
        return this.#node();
      case 3:
        return this.#endpointSlice();
      default:
        return this.#service(random.pick(['a', 'b', 'c']));
    }
  }

  #service(name: string): void {
    const random = this.#random;
    if (random.oneIn(6)) {
      const key = `default/${name}`;
      this.#services.set(key, undefined);
      this.#measure(() => this.#decide(key));
      this.#speaker.setService(key, undefined);
      return;
    }
    const raw = {
      metadata: { ...this.#metadata(name), namespace: random.pick(['default', 'other']) },
      spec: {
        type: random.pick(['LoadBalancer', 'LoadBalancer', 'LoadBalancer', 'ClusterIP']),
        ...(random.oneIn(3) ? { loadBalancerIP: hostileText(random) } : {}),
        ipFamilies: random.pick([['IPv4'], ['IPv6'], ['IPv4', 'IPv6'], []]),
        ipFamilyPolicy: random.pick(['SingleStack', 'PreferDualStack', 'RequireDualStack', 'x']),
        externalTrafficPolicy: random.pick(['Cluster', 'Local']),
        ports: Array.from({ length: random.below(3) }, () => ({ port: random.below(3), protocol: 'TCP' })),
        selector: random.oneIn(2) ? { app: hostileText(random) } : {},
      },
      status: {
        loadBalancer: {
          ingress: random.oneIn(2) ? [{ ip: random.pick(addresses) }] : [{ ip: hostileText(random) }],
        },
      },
    };
    const service = decodeService(raw as RawObject);
    const key = objectKey(service);
    this.#services.set(key, service);
    this.#measure(() => this.#decide(key));
    for (const text of this.#measure(() => unknownAnnotations(service))) checkText(text);
    this.#measure(() => this.#speaker.setService(key, service));
    for (const { ip } of service.ingress) checkText(this.#speaker.unansweredReason(service, ip));
    this.#measure(() =>
      recordAnnouncing(service, new Map([['192.0.2.240', { node: 'node-1', interfaces: ['eth0'] }]])),
    );
  }

  #decide(key: string): void {
    for (const decision of this.#decider.decide([key])) {
      if (decision.kind === 'failed') throw decision.error;
      if (decision.kind !== 'reconciled') continue;
      checkText(decision.outcome.refusal?.message ?? '');
      checkText(decision.outcome.warning ?? '');
    }
  }

  #configMap(raw: object): void {
    const configMap = decodeConfigMap(raw as RawObject);
    const verdict = this.#measure(() => judgeConfigMap(configMap, this.#accepted.current, ''));
    if (verdict.kind !== 'active') checkText(verdict.reason, maxConfigErrorCharacters);
    this.#measure(() => this.#accepted.update(configMapName, configMap));
  }

  #secret(name: string): void {
    const random = this.#random;
    const data = Object.fromEntries(
      Array.from({ length: random.pick([0, 1, 2, 3000]) }, (_, i) => [
        random.pick(['keys', 'password', `k${i}`.padEnd(253, 'x')]),
        Buffer.from(
          random.pick([random.octets(32), random.octets(90), [...Buffer.from(membershipKey(random))]]),
        ).toString('base64'),
      ]),
    );
    const secret = decodeSecret({ metadata: this.#metadata(name), data } as RawObject);
    const keys = this.#measure(() => readMembershipKeys(secret));
    if (!keys.ok) checkText(keys.error);
    this.#measure(() => this.#speaker.setSecret(name, random.oneIn(4) ? undefined : secret));
  }

  #node(): void {
    const random = this.#random;
    const name = random.pick(['node-1', 'node-2']);
    const raw = node(name, { annotations: this.#annotations(), labels: this.#annotations() }, [
      { type: 'InternalIP', address: hostileText(random) },
    ]);
    const decoded = decodeNode(raw);
    this.#measure(() => this.#speaker.setNode(name, random.oneIn(4) ? undefined : decoded));
  }

  #endpointSlice(): void {
    const random = this.#random;
    const slice = decodeEndpointSlice({
      metadata: {
        ...this.#metadata('a-1'),
        namespace: 'default',
        labels: { 'kubernetes.io/service-name': 'a' },
      },
      addressType: random.pick(['IPv4', 'IPv6']),
      endpoints: Array.from({ length: random.below(4) }, () => ({
        addresses: [random.pick(addresses)],
        nodeName: random.pick(['node-1', 'node-2']),
        conditions: { ready: random.oneIn(2), serving: random.oneIn(2), terminating: random.oneIn(2) },
      })),
    } as RawObject);
    this.#measure(() => this.#speaker.setEndpointSlice('default/a-1', slice));
  }

  #configData(): object {
    const random = this.#random;
    const text = Buffer.from(mutate(Buffer.from(configText), random)).toString();
    return random.pick<object>([
      { config: text },
      { config: configText },
      {},
      { [hostileKey(random)]: text },
    ]);
  }

  #metadata(name: string): RawObject['metadata'] & { readonly annotations: object } {
    const annotations = this.#annotations();
    return {
      name,
      namespace: 'bellman-system',
      uid: name,
      resourceVersion: String(++this.#version),
      annotations,
    };
  }

  #annotations(): Readonly<Record<string, string>> {
    const random = this.#random;
    const count = random.pick([0, 1, 2, 3, 3, 2000]);
    return Object.fromEntries(
      Array.from({ length: count }, (_, i) => [
        count > 3 ? `${random.pick(requestPrefixes)}x${i}` : hostileKey(random),
        count > 3 ? '' : hostileText(random),
      ]),
    );
  }

  #measure<T>(work: () => T): T {
    return this.#meter.measure(work);
  }
}

const addresses = ['198.51.100.1', '2001:db8::1', '192.0.2.240', '203.0.113.9'];
const annotationNames = [
  ...['loadBalancerIPs', 'address-pool', 'allow-shared-ip', 'loadbalancerips', 'announcing', 'x'],
  ...['ip-allocated-from-pool', 'accepted-config', 'accepted-hash', 'accepted-generation', 'accepted-at'],
];

function hostileKey(random: Random): string {
  return random.pick(requestPrefixes) + random.pick(annotationNames);
}

/** A value that a user may write: plausible, long, unprintable, or a list of thousands of items. */
function hostileText(random: Random): string {
  const item = random.pick([
    'public',
    'office',
    'nope',
    '',
    ' ',
    'k',
    '0',
    '-1',
    '\u202e',
    '\u001b[2J',
    'é',
    '"',
    ...addresses,
  ]);
  switch (random.below(6)) {
    case 0:
      return item.repeat(random.pick([1, 100, 20_000]));
    case 1:
      return Array.from({ length: random.pick([2, 3, 5000]) }, () =>
        random.pick([item, random.pick(addresses)]),
      ).join(',');
    case 2:
      return `${random.pick(addresses)}=${item}/eth0,${random.pick(addresses)}=node-1/${item}`;
    case 3:
      return Buffer.from(random.octets(random.below(300))).toString('latin1');
    case 4:
      return `gzip:${Buffer.from(random.octets(100)).toString('base64')}`;
    default:
      return item;
  }
}

function membershipKey(random: Random): string {
  return `${Buffer.from(random.octets(random.pick([31, 32, 33]))).toString('base64')}\n`;
}

function node(name: string, metadata: object = {}, nodeAddresses: readonly object[] = []): RawObject {
  return {
    metadata: { name, uid: name, resourceVersion: '1', ...metadata },
    spec: {},
    status: { addresses: nodeAddresses, conditions: [{ type: 'Ready', status: 'True' }] },
  } as RawObject;
}

const silentBgp: BgpSpeaker = {
  setPeers: (peers) => {
    for (const { waitingFor = '' } of peers) checkText(waitingFor);
  },
  announce: () => undefined,
  withdraw: () => undefined,
  synced: () => undefined,
  bfdChanged: () => undefined,
  interfacesChanged: () => undefined,
  status: () => [],
  stop: () => Promise.resolve(),
};

function checkText(text: string, maxCharacters = maxTextCharacters): void {
  assert.ok(text.length <= maxCharacters, `a text has ${text.length} characters: ${text.slice(0, 500)}`);
  assert.ok(
    !unprintable.test(text.replaceAll('\n', '')),
    `not printable: ${JSON.stringify(text.slice(0, 500))}`,
  );
}
