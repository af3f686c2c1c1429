import type { ChildProcess } from 'node:child_process';
import type { NetworkNamespace } from '../../../lab/netns.ts';

/** A router's side of a scenario in no daemon's language. One neighbor: us. */
export interface RouterConfig {
  readonly asn: number;
  readonly routerId: string;
  /** Its own address in the session. */
  readonly localAddress: string;
  readonly neighbor: {
    readonly address: string;
    readonly asn: number;
    /** It waits for us; else it connects, and listens too. */
    readonly passive: boolean;
    readonly password?: string;
    readonly ttlSecurity?: boolean;
    /** The speaker is more than one hop away. */
    readonly multihop?: boolean;
    readonly holdTimeSeconds?: number;
    /** Keeps our routes while we restart (RFC 4724). */
    readonly gracefulRestartSeconds?: number;
    /** IPv4 routes with an IPv6 next hop (RFC 8950). */
    readonly extendedNextHop?: boolean;
    readonly extendedMessages?: boolean;
    /** Seconds between its attempts to connect. */
    readonly connectRetrySeconds?: number;
  };
}

/** A route as a daemon shows it; absent is not shown. */
export interface SeenRoute {
  readonly prefix: string;
  readonly nextHop: string;
  readonly asPath: readonly number[];
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  readonly med?: number;
  readonly localPref?: number;
}

export interface RunningDaemon {
  readonly process: ChildProcess;
  isEstablished(): Promise<boolean>;
  /** What it holds of us, of both families. */
  routes(): Promise<readonly SeenRoute[]>;
  /** Prefixes alone, where the whole is slow to read. */
  prefixes?(): Promise<readonly string[]>;
  /** Asks us for our routes again. */
  refresh(): Promise<void>;
  /** Ends the session with a shutdown communication (RFC 9003). */
  shutdown(message: string): Promise<void>;
  /** What it has logged so far. */
  log(): string;
}

/** What a cell of the matrix may need of a daemon; a text says why it has it not. */
export const features = [
  'session over IPv4',
  'session over IPv6',
  'IPv4 with an IPv6 next hop',
  '4-octet AS numbers',
  'TCP MD5',
  'TTL security',
  'the peer is passive',
  'Bellman is passive',
  'collision',
  'communities',
  'large communities',
  'MED',
  'AS-path prepend',
  'local preference',
  'aggregates',
  'withdrawal',
  'route refresh',
  'restart without a lost route',
  'hold timer expiry',
  'shutdown message from the peer',
  'shutdown message to the peer',
  'extended messages',
] as const;
export type Feature = (typeof features)[number];

export interface Daemon {
  readonly name: string;
  /** What it cannot do, and why; the cells are left out of the run. */
  readonly cannot: Readonly<Partial<Record<Feature, string>>>;
  version(): Promise<string>;
  /** Starts in the foreground in the namespace; files go to the directory, which is the daemon's alone. */
  start(namespace: NetworkNamespace, config: RouterConfig, directory: string): Promise<RunningDaemon>;
}
