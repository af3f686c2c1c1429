/** A speaker on one of three nodes in virtual time, the routes that its router receives, and the events that the speaker records. */
import { pino } from 'pino';
import { formatPrefix } from '../../../src/address/index.ts';
import type { RouteAttributes } from '../../../src/bgp/index.ts';
import type { Config } from '../../../src/config/config.ts';
import type { EventRecord } from '../../../src/kubernetes/events.ts';
import type { EndpointSlice, Node } from '../../../src/kubernetes/model.ts';
import { LeavingReport } from '../../../src/speaker/leaving/leaving-report.ts';
import { NodeSpeaker } from '../../../src/speaker/node-speaker.ts';
import { Guard } from '../../../src/telemetry/guard.ts';
import { Turns } from '../../../src/turns.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { config, node, pool, service, slice } from './fixtures.ts';

const gracefulShutdown = 0xffff0000;
export const settings = config([pool('public', ['198.51.100.0/24'])]);
export const all = ['node-1', 'node-2', 'node-3'];

function shown({ localPref, med, asPathPrepend, communities }: RouteAttributes): string {
  const isMarked = communities.includes(gracefulShutdown);
  return [
    isMarked ? 'marked' : 'plain',
    ...(localPref === undefined ? [] : [`localpref ${localPref}`]),
    ...(med === undefined ? [] : [`med ${med}`]),
    ...(asPathPrepend === 0 ? [] : [`prepend ${asPathPrepend}`]),
  ].join(' ');
}

export class Scene {
  readonly clock = new VirtualClock();
  readonly events: EventRecord[] = [];
  readonly report: LeavingReport;
  readonly speaker: NodeSpeaker;
  readonly #lines: string[] = [];
  readonly #routes = new Map<string, string>();

  /** `startsAs` is the state of the speaker's node. */
  constructor(startsAs: Partial<Node> = {}, inForce: Config = settings, nodeName = 'node-1') {
    const { clock } = this;
    const logger = pino({ level: 'silent' });
    this.speaker = new NodeSpeaker({
      nodeName,
      namespace: 'bellman-system',
      isOurs: () => true,
      isOnLink: () => true,
      leavesWhenCordoned: false,
      ignoresExcludeLabel: false,
      bgp: {
        setPeers: () => undefined,
        announce: (_, prefix, attributes) => {
          this.#lines.push(`announce ${formatPrefix(prefix)} ${shown(attributes)}`);
          this.#routes.set(formatPrefix(prefix), shown(attributes));
        },
        withdraw: (_, prefix) => {
          this.#lines.push(`withdraw ${formatPrefix(prefix)}`);
          this.#routes.delete(formatPrefix(prefix));
        },
        synced: () => undefined,
        bfdChanged: () => undefined,
        interfacesChanged: () => undefined,
        status: () => [],
        stop: () => Promise.resolve(),
      },
      bfd: { setSessions: () => undefined },
      layer2: { use: () => undefined, table: () => undefined, change: () => undefined },
      onPeerTrouble: () => undefined,
      onLeaving: (state) => this.report.update(state),
      clock,
      logger,
      guard: new Guard({ logger }),
      turns: new Turns(clock),
    });
    this.report = new LeavingReport({
      clock,
      events: { record: (event) => void this.events.push(event) },
      node: () => this.speaker.node(nodeName),
      logger: memoryLogger().logger,
    });
    this.speaker.setConfig(inForce);
    for (const name of all) this.set(name, name === nodeName ? startsAs : {});
    this.add('web', '198.51.100.7');
    this.speaker.start();
  }

  set(name: string, over: Partial<Node>): void {
    this.speaker.setNode(name, node(name, over));
  }

  add(
    name: string,
    address: string,
    nodes: readonly string[] = all,
    policy: 'Cluster' | 'Local' = 'Cluster',
  ) {
    this.speaker.setEndpointSlice(`default/${name}-1`, slice(name, nodes));
    const object = service(name, [address], { externalTrafficPolicy: policy });
    this.speaker.setService(`default/${name}`, object);
  }

  /** Sets the endpoints of a Service. A node with an asterisk has an endpoint that terminates and still serves. */
  endpoints(name: string, ...nodes: readonly string[]): void {
    const endpoints = nodes.map((each): EndpointSlice['endpoints'][number] => {
      const terminating = each.endsWith('*');
      const nodeName = each.replace('*', '');
      return { addresses: ['10.1.0.1'], nodeName, ready: !terminating, serving: true, terminating };
    });
    this.speaker.setEndpointSlice(`default/${name}-1`, slice(name, [], { endpoints }));
  }

  /** The route as the router has it now. */
  route(prefix: string): string | undefined {
    return this.#routes.get(prefix);
  }

  take(): string[] {
    return this.#lines.splice(0);
  }

  reasons(): string[] {
    return this.events.splice(0).map(({ reason }) => reason);
  }
}
