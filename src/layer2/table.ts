/**
 * What the Kubernetes side tells the layer-2 process, and what it hears back. Plain JSON: it crosses a process
 * border, so that answers and membership never wait behind a resync.
 */
import type { AddressCounts } from './responder/address-state.ts';
import type { DefencePolicy } from './responder/defence.ts';

/** What the process is started with. */
export interface Layer2Settings {
  readonly nodeName: string;
  /** UDP port of the membership, the same on every node. */
  readonly port: number;
  /** What is done when a host that is no speaker claims an address that is answered here. */
  readonly conflictPolicy: DefencePolicy;
  /** For switches that forget; 0: an address is announced when it is taken over, and not again. */
  readonly announceEverySeconds: number;
}

/** One address to be answered for by exactly one node, as one Service wants it. */
export interface Layer2Wish {
  /** Canonical text of the address: the key. */
  readonly address: string;
  /** Nodes that Kubernetes-side rules allow: node and pool selectors, Ready, endpoints. Sorted. */
  readonly candidates: readonly string[];
  /** Interfaces that the pool's advertisements name; empty: those whose subnet holds the address. */
  readonly interfaces: readonly string[];
  /** The same for nodes that advertisements name different ones for, by node. */
  readonly nodeInterfaces?: Readonly<Record<string, readonly string[]>>;
  /** Addresses of one group prefer one node (the two families of a dual-stack Service). */
  readonly group: string;
  /** Who was last seen to announce it, by the Service's annotation. */
  readonly recordedOwner?: string;
}

export interface Layer2Entry extends Layer2Wish {
  /** How new the picture of the cluster is that says so: greater is newer; 0: unknown. */
  readonly version: number;
}

/** An address that no Service uses any more. */
export interface Removal {
  readonly address: string;
  /** As an entry's. */
  readonly version: number;
}

/** A peer of the membership, known from Kubernetes before gossip has spoken of it. */
export interface KnownSpeaker {
  readonly node: string;
  /** Where its membership socket listens: the Pod's or Node's addresses. */
  readonly addresses: readonly string[];
}

export interface KnownSpeakers {
  readonly known: readonly KnownSpeaker[];
  /** There is a speaker on each of these nodes: one that is not heard counts against the majority. */
  readonly areCertain: boolean;
}

export type ToLayer2 =
  /** Of a `table`, which is the whole and replaces everything before, or of a change. Comes in parts, of which the last is told by itself. */
  | {
      readonly kind: 'table' | 'change';
      readonly upsert: readonly Layer2Entry[];
      readonly remove: readonly Removal[];
      readonly hasMore?: boolean;
    }
  | ({ readonly kind: 'speakers' } & KnownSpeakers)
  /** Membership keys, base64 of 32 octets each; the first encrypts, all decrypt, so that keys rotate. */
  | { readonly kind: 'keys'; readonly keys: readonly string[] }
  /** Hand over, leave, and exit. */
  | { readonly kind: 'stop' };

export interface Announcing {
  readonly address: string;
  readonly interfaces: readonly string[];
  /** RFC 3339. */
  readonly since: string;
}

export interface MemberStatus {
  readonly node: string;
  readonly state: 'alive' | 'suspect' | 'dead' | 'left';
  readonly address: string;
  readonly since: string;
}

export type FromLayer2 =
  /** Sent on each change of what this node answers for. */
  | {
      readonly kind: 'announcing';
      readonly started: readonly Announcing[];
      readonly stopped: readonly string[];
    }
  /** Somebody else claims an address that is ours. */
  | {
      readonly kind: 'conflict';
      readonly address: string;
      readonly mac: string;
      readonly interface: string;
      readonly action: 'defended' | 'yielded' | 'waiting';
    }
  | { readonly kind: 'members'; readonly members: readonly MemberStatus[] }
  /** Every second, of addresses that are answered: counters that have changed, as they stand. */
  | { readonly kind: 'counts'; readonly counts: readonly AddressCounts[] }
  /** Every second: prom-client's JSON of the process' registry, to be merged into the speaker's. */
  | { readonly kind: 'metrics'; readonly metrics: unknown }
  | { readonly kind: 'stopped' };
