import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Changes } from '../membership/change-log.ts';
import { type Keys, parseKeys } from '../membership/keyring.ts';
import { isLive } from '../membership/member-table.ts';
import type { Membership } from '../membership/membership.ts';
import { MembershipNode } from '../membership/node.ts';
import type { PayloadStore } from '../membership/payload.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import type { Guard } from '../telemetry/guard.ts';
import type { FromLayer2, KnownSpeakers } from './messages.ts';
import type { Layer2Metrics } from './metrics.ts';
import type { Claim } from './ownership/claim.ts';
import { payloadOf } from './ownership/claim-payloads.ts';
import { UnknownKeyLog } from './unknown-key-log.ts';

export interface MembershipPortOptions {
  readonly nodeName: string;
  readonly port: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly guard: Guard;
  readonly recorder: FlightRecorder;
  readonly payloads: PayloadStore;
  readonly metrics: Pick<Layer2Metrics, 'datagram'>;
  readonly report: (message: FromLayer2) => void;
  readonly drainCaptures: () => void;
  readonly onJoined: () => void;
  readonly onChanged: (changes: Omit<Changes, 'packets'>) => void;
}

/** This node's access to the membership. The membership is closed until the first usable keys arrive. */
export class MembershipPort {
  readonly #options: MembershipPortOptions;
  readonly #unknownKeys: UnknownKeyLog;
  #node: MembershipNode | undefined;
  #speakers: KnownSpeakers = { known: [], areCertain: false };
  #facts = '';

  constructor(options: MembershipPortOptions) {
    this.#options = options;
    this.#unknownKeys = new UnknownKeyLog(options.clock, options.logger, options.report);
  }

  /** The membership machine; `undefined` until this node has joined. */
  get machine(): Membership | undefined {
    return this.#node?.machine;
  }

  /** Whether each node that `setSpeakers` listed certainly has a speaker, because Kubernetes lists the Pod of that speaker. */
  get areSpeakersCertain(): boolean {
    return this.#speakers.areCertain;
  }

  /** Number of live members other than this node. */
  get liveMembers(): number {
    return this.machine?.liveCount ?? 0;
  }

  /** Number of listed speakers that are not live, except those that have left. */
  get unreachable(): number {
    return this.machine?.unreachable().length ?? 0;
  }

  /** Whether any listed speaker is not live and has not left. */
  get isAnyUnreachable(): boolean {
    return this.machine?.isAnyUnreachable ?? false;
  }

  /** Whether Kubernetes lists the Pods of the speakers, and none of them is on another node. */
  get isAlone(): boolean {
    return this.#speakers.areCertain && this.#others.length === 0;
  }

  /** Whether this node holds the same claims as several live members, or as all live members if there are few. */
  get isSynced(): boolean {
    return this.machine?.isSynced ?? false;
  }

  isLive(node: string): boolean {
    return isLive(this.machine?.member(node));
  }

  /** Sets the keys. Each key is 32 octets in base64. The first usable keys open the membership. */
  async setKeys(texts: readonly string[]): Promise<void> {
    const keys = parseKeys(texts);
    if (!keys.ok) {
      this.#options.logger.error({ reason: keys.error }, 'membership keys rejected');
      return;
    }
    if (this.#node) this.#node.setKeys(keys.value);
    else await this.#join(keys.value);
  }

  setSpeakers(speakers: KnownSpeakers): void {
    this.#speakers = speakers;
    this.#tellSpeakers();
  }

  /** Sets the facts that other members receive. Returns false when they have not changed. */
  setFacts(facts: string): boolean {
    if (facts === this.#facts) return false;
    this.#facts = facts;
    this.#node?.setMetadata(facts);
    return true;
  }

  /** Hosts of the other members' sockets. */
  *hosts(): Iterable<readonly [node: string, host: string]> {
    for (const { name, endpoint } of this.machine?.members() ?? []) yield [name, endpoint.host];
  }

  publish(claims: readonly Claim[]): void {
    this.#node?.publish(claims.map(payloadOf));
  }

  leave(): void {
    this.#node?.leave();
  }

  async #join(keys: Keys): Promise<void> {
    const { nodeName: name, port, clock, logger, guard, recorder, payloads, metrics } = this.#options;
    const { drainCaptures, onJoined, onChanged } = this.#options;
    this.#node = await MembershipNode.start({
      ...{ name, port, keys, clock, guard, recorder, payloads, drainCaptures },
      metadata: this.#facts,
      changed: onChanged,
      count: (datagram) => metrics.datagram(datagram),
      onUnknownKey: (node) => this.#unknownKeys.note(node),
    });
    logger.info({ node: name, port }, 'membership joined');
    // The facts may have changed while the socket was opened.
    this.#node.setMetadata(this.#facts);
    this.#tellSpeakers();
    onJoined();
  }

  get #others(): KnownSpeakers['known'] {
    return this.#speakers.known.filter(({ node }) => node !== this.#options.nodeName);
  }

  #tellSpeakers(): void {
    const { port } = this.#options;
    const endpoints = this.#others.map(
      ({ node, addresses }) => [node, addresses.map((host) => ({ host, port }))] as const,
    );
    this.#node?.setSpeakers(new Map(endpoints), this.#speakers.areCertain);
  }
}
