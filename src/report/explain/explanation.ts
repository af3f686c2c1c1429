/**
 * The value that `bellman explain -o json` prints. The format only grows: a field is never removed and never changes its meaning.
 * `docs/reference/explain.md` describes it.
 */
import type { Protocol } from '../../config/index.ts';

/** Version of the format. */
export const explanationVersion = 1;

export type Verdict = 'announced' | 'not announced' | 'unknown';

/** Why an address is not announced, what is wrong with its announcement, or why a Service has no address. */
export interface Cause {
  /** One sentence, without a full stop. */
  readonly text: string;
  /** The kind of the object and its field that decide, for example `Service spec.type`. */
  readonly field?: string;
  /** The way out, as an instruction to the operator. */
  readonly remedy?: string;
}

export interface Explanation {
  readonly version: typeof explanationVersion;
  /** The Service or the address that the command was asked about. */
  readonly subject: string;
  /** `namespace/name`; absent when no Service has the address. */
  readonly service?: string;
  /** The worst verdict of all addresses. */
  readonly verdict: Verdict;
  /**
   * Why `addresses` is empty: there is no such Service, it has no address, it is not a Service of Bellman, or it is being deleted. The most
   * important cause comes first. This list is empty when `addresses` is not.
   */
  readonly causes: readonly Cause[];
  readonly addresses: readonly AddressExplanation[];
}

export interface AddressExplanation {
  readonly address: string;
  /** Absent when no pool of the accepted configuration holds the address. */
  readonly pool?: string;
  readonly protocols: readonly Protocol[];
  readonly verdict: Verdict;
  /** The verdict in one sentence. */
  readonly summary: string;
  /** Why the address is not announced, or what is wrong although it is. The most important cause comes first. */
  readonly causes: readonly Cause[];
  readonly nodes: readonly NodeExplanation[];
  /** Oldest first. */
  readonly transitions: readonly Transition[];
}

export interface NodeExplanation {
  readonly node: string;
  /** Why the speaker of the node could not be asked; absent when it was. */
  readonly notReached?: string;
  readonly layer2?: Layer2Explanation;
  readonly bgp?: BgpExplanation;
}

/** Why a node does not announce an address. */
export interface NodeRefusalExplanation {
  readonly cause: string;
  readonly reason: string;
  readonly field?: string;
}

export interface Layer2Explanation {
  /** Whether the node may answer: the configuration, the node and the endpoints allow it, and a link of the node carries the address. */
  readonly eligible: boolean;
  readonly refusal?: NodeRefusalExplanation;
  /** Links of the node that carry the address; absent when the speaker does not report its links. */
  readonly links?: readonly string[];
  /** Time since which the node answers, RFC 3339; absent when it does not. */
  readonly ownerSince?: string;
  /** The nodes whose speakers ask for the address and get no answer from this node. */
  readonly unverifiedBy?: string;
  /** The foreign host that uses the address. Because of this host, the node does not answer. */
  readonly usedBy?: string;
}

export interface BgpExplanation {
  readonly eligible: boolean;
  readonly refusal?: NodeRefusalExplanation;
  readonly peers: readonly PeerExplanation[];
}

export interface PeerExplanation {
  readonly peer: string;
  /** Whether the session is up and all its routes are sent. */
  readonly announced: boolean;
  /** Whether the session is up and carries routes of the address's family. */
  readonly carried: boolean;
  /** State of the session's FSM, or `unknown`. */
  readonly state: string;
  /** RFC 3339. */
  readonly since?: string;
  readonly routes: readonly RouteExplanation[];
  readonly routesSent?: number;
  readonly routesDesired?: number;
  /** Why the last session ended or did not start. */
  readonly lastError?: string;
  readonly lastErrorAt?: string;
  readonly warnings: readonly string[];
  readonly bfd?: { readonly state: string; readonly since: string; readonly problem?: string };
}

export interface RouteExplanation {
  readonly prefix: string;
  /** `localPref` goes to internal peers only, and `asPathPrepend` to external peers only. */
  readonly localPref?: number;
  readonly med?: number;
  readonly asPathPrepend?: number;
  readonly communities?: readonly string[];
  readonly largeCommunities?: readonly string[];
}

/** A change that a speaker has recorded. */
export interface Transition {
  /** RFC 3339. */
  readonly at: string;
  readonly node: string;
  readonly machine: string;
  readonly text: string;
}
