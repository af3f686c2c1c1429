/**
 * Messages between the speaker process and its layer-2 process. They are plain JSON over the IPC channel of the child process.
 * The two are separate processes so that answers and membership never wait behind a resync of Kubernetes objects.
 */
import type { MemberState } from '../membership/packet.ts';
import type { RecordedEvent } from '../telemetry/flight-recorder.ts';
import type { AddressRemoval, CandidateSetChange, SourcedEntry } from './address-entry.ts';
import type { AddressCounts } from './responder/address-state.ts';
import type { ConflictAction, DefencePolicy } from './responder/defence.ts';

/** Settings with which the layer-2 process starts. */
export interface Layer2Settings {
  readonly nodeName: string;
  /** UDP port of the membership, the same on every node. */
  readonly port: number;
  /** Reaction to a conflict with a host that is not a speaker. */
  readonly conflictPolicy: DefencePolicy;
  /** Interval of repeated announcements, for switches that forget addresses. 0 means announcements only after a takeover. */
  readonly announceEverySeconds: number;
  /** Time between two questions of this node, as a witness, for the same address of another node. 0 means that this node is not a witness. */
  readonly witnessEverySeconds: number;
  /** Whether another program may answer for the same addresses from nodes of this cluster. */
  readonly adoptOnly: boolean;
}

/** A speaker that Kubernetes knows, whether or not the membership has heard it. */
export interface KnownSpeaker {
  readonly node: string;
  /** Addresses of the speaker's membership socket. They are the addresses of its Pod or its Node. */
  readonly addresses: readonly string[];
}

export interface KnownSpeakers {
  readonly known: readonly KnownSpeaker[];
  /**
   * Whether each of these nodes certainly has a speaker. If so, a speaker that cannot be heard counts as missing when the layer-2 process finds
   * out whether this node is in a majority.
   */
  readonly areCertain: boolean;
}

/** Changes of address entries. */
export interface EntriesChange {
  readonly sets: readonly CandidateSetChange[];
  readonly upsert: readonly SourcedEntry[];
  readonly remove: readonly AddressRemoval[];
}

/** A message to the layer-2 process. */
export type ToLayer2 =
  /**
   * `table` replaces all sets of candidates and all entries, and `change` updates some. The changes of sets in a message take effect first. They
   * also change the entries that name these sets. A long message is sent in parts. All parts except the last have `hasMore`, and all parts except
   * the first have `isContinued`.
   */
  | ({
      readonly kind: 'table' | 'change';
      readonly isContinued?: boolean;
      readonly hasMore?: boolean;
    } & EntriesChange)
  | ({ readonly kind: 'speakers' } & KnownSpeakers)
  /** Membership keys, base64 of 32 octets each. The first key encrypts and every key decrypts, so that keys can be rotated. */
  | { readonly kind: 'keys'; readonly keys: readonly string[] }
  /** Replaces the addresses whose answers on the wire are to be watched. Their entries have `heldSources`. */
  | { readonly kind: 'watch'; readonly addresses: readonly string[] }
  /** Asks which of the addresses are claimed by a live node; answered by `claimed`. */
  | { readonly kind: 'claimed'; readonly id: number; readonly addresses: readonly string[] }
  /** Asks for the flight recorder's events; answered by `events`. */
  | { readonly kind: 'events'; readonly id: number }
  /** The layer-2 process hands over its addresses, leaves the membership, and exits. */
  | { readonly kind: 'stop' };

/** An address that this node answers for. */
export interface Announcing {
  readonly address: string;
  readonly interfaces: readonly string[];
  /** RFC 3339. */
  readonly since: string;
}

/** A link on which this node can answer. */
export interface LinkStatus {
  readonly name: string;
  /** As text, such as `192.0.2.0/24`. */
  readonly subnets: readonly string[];
}

export interface MemberStatus {
  readonly node: string;
  readonly state: MemberState;
  readonly address: string;
  /** RFC 3339. */
  readonly since: string;
}

/** The host that answers for a watched address, as this node has seen it. */
export interface Sighting {
  readonly address: string;
  /** The MAC that answers, lower case and colon separated. Empty when no host answers. */
  readonly mac: string;
  /** The node with this MAC, which may be this node. Empty when no speaker runs on the host. */
  readonly node: string;
  readonly interface: string;
  /** Whether this node ranks first among the nodes that ask for the address. */
  readonly isFirstAsker: boolean;
}

/** A message from the layer-2 process. */
export type FromLayer2 =
  /** This node has begun or stopped answering for addresses. `started` also lists an address whose interfaces have changed. */
  | {
      readonly kind: 'announcing';
      readonly started: readonly Announcing[];
      readonly stopped: readonly string[];
    }
  /** Another host uses an address that this node owns. */
  | {
      readonly kind: 'conflict';
      readonly address: string;
      readonly mac: string;
      readonly interface: string;
      readonly action: ConflictAction;
    }
  /** The witnesses of an address that this node answers for get no answer. With `isGivenUp`, this node gives the address away. */
  | {
      readonly kind: 'unverified';
      readonly address: string;
      readonly witnesses: readonly string[];
      readonly isGivenUp: boolean;
    }
  /** A witness gets an answer again, or this node does not answer for the address any more. */
  | { readonly kind: 'verified'; readonly address: string }
  /** Says which host answers for a watched address, or that none does. Sent when a field of the sighting has changed. */
  | ({ readonly kind: 'sighting' } & Sighting)
  /**
   * The speaker of the node `node` uses a membership key that this node does not know. Sent at most every ten minutes for each such node.
   */
  | { readonly kind: 'unknown-key'; readonly node: string }
  | { readonly kind: 'members'; readonly members: readonly MemberStatus[] }
  /** The links that can carry addresses have changed. */
  | { readonly kind: 'links'; readonly links: readonly LinkStatus[] }
  /** Sent every second if counters have changed. Carries the totals of these counters. */
  | { readonly kind: 'counts'; readonly counts: readonly AddressCounts[] }
  /** Sent every second. Carries the process's registry as prom-client's JSON. The speaker merges it into its own metrics. */
  | { readonly kind: 'metrics'; readonly metrics: unknown }
  /**
   * Answers the question `claimed` with those addresses of the question that this node or another live node claims. Released addresses and
   * addresses in conflict do not count.
   */
  | { readonly kind: 'claimed'; readonly id: number; readonly addresses: readonly string[] }
  /** Answers the question `events`. */
  | { readonly kind: 'events'; readonly id: number; readonly events: readonly RecordedEvent[] }
  | { readonly kind: 'stopped' };
