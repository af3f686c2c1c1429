/** Objects of large clusters. The addresses of all Services are in 10.0.0.0/8. */
import { pino } from 'pino';
import type { BgpSpeaker } from '../../src/bgp/index.ts';
import { maintenanceAnnotation } from '../../src/cluster/names.ts';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/index.ts';
import type { Service } from '../../src/kubernetes/model.ts';
import { NodeSpeaker } from '../../src/speaker/node-speaker.ts';
import type { KeptService } from '../../src/speaker/plan/kept-objects.ts';
import { keptService, SliceKeeper } from '../../src/speaker/plan/kept-objects.ts';
import { Guard } from '../../src/telemetry/guard.ts';
import { Turns } from '../../src/turns.ts';
import { VirtualClock } from '../../test/support/virtual-clock.ts';
import { node, service, slice } from '../../test/unit/speaker/fixtures.ts';

export const silent = pino({ level: 'silent' });
export const nodeName = (i: number) => `node-${String(i).padStart(5, '0')}`;
const self = nodeName(0);
export const addressOf = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
/** Number of Services in each namespace. */
const namespaceSize = 10;
export const namespaceOf = (i: number) => `team-${Math.floor(i / namespaceSize)}`;

/** Parses a configuration that is valid. */
export function parsed(text: string): Config {
  const result = parseConfig(text);
  if (!result.ok) throw new Error(`a bench has a bad configuration: ${JSON.stringify(result)}`);
  return result.value;
}

const peers = '{my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1}';

/** A configuration with one peer and one pool. `more` holds further keys of the pool. */
export function poolConfig(protocol: 'bgp' | 'layer2', more = ''): Config {
  return parsed(
    `peers: [${peers}]\naddress-pools:\n- {name: big, protocol: ${protocol}, addresses: [10.0.0.0/8]${more && `, ${more}`}}\n`,
  );
}

export function serviceAt(i: number, over: Partial<Service> = {}): Service {
  const namespace = namespaceOf(i);
  return service(`s${i}`, [addressOf(i)], {
    namespace,
    uid: `uid-${i}`,
    resourceVersion: String(i),
    labels: { app: `s${i % 7}` },
    ...over,
  });
}

export function keptServiceAt(i: number): KeptService {
  return kept(serviceAt(i));
}

function kept(service: Service): KeptService {
  const object = keptService(service);
  if (!object) throw new Error('a bench has a Service that the speaker does not keep');
  return object;
}

const unheard: BgpSpeaker = {
  setPeers: () => {},
  announce: () => {},
  withdraw: () => {},
  synced: () => {},
  bfdChanged: () => {},
  interfacesChanged: () => {},
  status: () => [],
  stop: () => Promise.resolve(),
};

export interface SpeakerSize {
  readonly services: number;
  readonly nodes: number;
  readonly config: Config;
  readonly policy?: 'Cluster' | 'Local';
}

/** A speaker that has started, with one endpoint for each Service. */
export class ScaledSpeaker {
  readonly speaker: NodeSpeaker;
  readonly slices = new SliceKeeper();
  readonly #size: SpeakerSize;

  constructor(size: SpeakerSize) {
    this.#size = size;
    this.speaker = new NodeSpeaker({
      nodeName: self,
      namespace: 'bellman-system',
      isOurs: () => true,
      isOnLink: () => true,
      leavesWhenCordoned: false,
      ignoresExcludeLabel: false,
      bgp: unheard,
      bfd: { setSessions: () => {} },
      layer2: { use: () => {}, table: () => {}, change: () => {} },
      onPeerTrouble: () => {},
      onLeaving: () => {},
      clock: new VirtualClock(),
      logger: silent,
      guard: new Guard({ logger: silent }),
      // Virtual time stands still, so no turn runs out of time, and each piece of long work runs to its end at once.
      turns: new Turns(new VirtualClock()),
    });
    this.speaker.reached('1');
    this.speaker.setConfig(size.config);
    for (let i = 0; i < size.nodes; i++) this.setReady(i, true);
    for (let i = 0; i < size.services; i++) {
      this.setService(i, {});
      this.setServing(i, true);
    }
    this.speaker.start();
  }

  setService(i: number, over: Partial<Service>): void {
    const { policy = 'Cluster' } = this.#size;
    const object = kept(serviceAt(i, { externalTrafficPolicy: policy, ...over }));
    this.speaker.setService(`${object.namespace}/${object.name}`, object);
  }

  setServing(i: number, serving: boolean): void {
    const { name, namespace } = serviceAt(i);
    const endpoint = slice(name, [nodeName(i % this.#size.nodes)], { namespace });
    const endpoints = endpoint.endpoints.map((each) => ({ ...each, ready: serving, serving }));
    this.speaker.setEndpointSlice(`${namespace}/${name}-1`, this.slices.kept({ ...endpoint, endpoints }));
  }

  setReady(i: number, ready: boolean, annotations: Readonly<Record<string, string>> = {}): void {
    const name = nodeName(i);
    const internalIPs = [`172.16.${i >> 8}.${i & 255}`];
    this.speaker.setNode(name, node(name, { ready, annotations, internalIPs }));
  }

  /** The speaker's node leaves. All its addresses then drain without end, because virtual time stands still. */
  leave(): void {
    this.setReady(0, true, { [maintenanceAnnotation]: 'new kernel' });
  }

  setConfig(config: Config): void {
    this.speaker.setConfig(config);
  }
}
