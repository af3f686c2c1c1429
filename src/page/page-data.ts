/**
 * The JSON at `/page/data`, which the browser draws. The format may change with each release. `bellman status -o json` is the stable format. The
 * leader serves data and files of the same release. `bellman page` serves its own files, but the data of the leader, which may have another release.
 * The texts have no control characters, except for line breaks in the text of `configuration`.
 */

/** A part of the cluster, and whether it is in the desired state. */
export interface PageFinding {
  readonly text: string;
  readonly isAsDesired: boolean;
}

export interface PageData {
  /** Release of the process that serves the data. */
  readonly release: string;
  readonly namespace: string;
  readonly configuration: PageFinding;
  readonly leader: PageFinding;
  /** The first problems, at most {@link maxProblems}. Problems that belong to no Service come before problems of Services. */
  readonly problems: readonly PageProblem[];
  readonly problemCount: number;
  readonly pools: readonly PagePool[];
  readonly addresses: readonly PageAddress[];
  readonly nodes: readonly PageNode[];
}

/** Limits the size of the data. If the limit leaves out a problem of a Service, the table of Services still shows this problem. */
export const maxProblems = 500;

export interface PageProblem {
  readonly kind: string;
  readonly object: string;
  readonly text: string;
}

export interface PagePool {
  readonly pool: string;
  readonly protocol: string;
  readonly family: string;
  /** Counts as decimal strings, because an IPv6 pool can exceed the integers that a JavaScript number holds exactly. */
  readonly addresses: string;
  readonly inUse: string;
  readonly free: string;
  readonly draining: boolean;
}

/** An address of a Service, or a Service that waits for one. */
export interface PageAddress {
  /** `namespace/name`. */
  readonly service: string;
  /** Absent while the Service waits. */
  readonly address?: string;
  readonly pool: string;
  /** `externalTrafficPolicy` of the Service. */
  readonly policy: string;
  /** The nodes that announce the address, why none does, or why the Service has no address. */
  readonly text: string;
  readonly isAsDesired: boolean;
}

export interface PageNode {
  readonly node: string;
  /** Why the speaker was not reached; absent when it was. */
  readonly notReached?: string;
  readonly links: readonly { readonly name: string; readonly subnets: readonly string[] }[];
  /** Number of addresses that the node answers for in layer 2. */
  readonly answers: number;
  /** Number of addresses that the node announces by BGP over at least one established session. */
  readonly advertises: number;
  readonly sessions: readonly PageSession[];
  /** Number of other speakers that this one hears. */
  readonly members: number;
  /** Other speakers that this one does not hear, each with its state. */
  readonly missingMembers: readonly string[];
  /**
   * Why and since when the node is leaving, how many addresses it still drains, and how many it keeps because too few other nodes could
   * announce them. Absent when it is not leaving. A leaving node may still be as desired.
   */
  readonly leaving?: string;
  /** False when a problem names the node, or its speaker was not reached. */
  readonly isAsDesired: boolean;
  /**
   * Faults that the speaker reports, and how it lags behind the cluster: it has not read everything, does not reach the API server, or runs
   * another configuration.
   */
  readonly troubles: readonly string[];
}

export interface PageSession {
  readonly peer: string;
  readonly state: string;
  /** RFC 3339. */
  readonly since: string;
  readonly routesSent: number;
  readonly routesDesired: number;
  /** False when a problem names the session or its BFD session. */
  readonly isAsDesired: boolean;
  readonly notes: string;
  /** State and detection time of the BFD session; absent when BFD does not monitor the peer. */
  readonly bfd?: string;
}
