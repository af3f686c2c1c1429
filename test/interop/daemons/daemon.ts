import type { ChildProcess } from 'node:child_process';
import type { NetworkNamespace } from '../../../lab/netns.ts';

/** Configuration of a router whose only neighbor is Bellman, in a form that fits every daemon. */
export interface RouterConfig {
  readonly asn: number;
  readonly routerId: string;
  /** The router's address in the session. */
  readonly localAddress: string;
  readonly neighbor: {
    readonly address: string;
    readonly asn: number;
    /** Whether the router only listens. Otherwise it connects, and every daemon except ExaBGP also listens. */
    readonly passive: boolean;
    readonly password?: string;
    readonly ttlSecurity?: boolean;
    /** Whether the speaker is more than one hop away. */
    readonly multihop?: boolean;
    readonly holdTimeSeconds?: number;
    /** If this is set, the router keeps our routes while we restart (RFC 4724). Some daemons also use the value as their own restart time. */
    readonly gracefulRestartSeconds?: number;
    /** Whether the router keeps our routes long after the restart time, marked as stale (RFC 9494). */
    readonly longLivedGracefulRestart?: boolean;
    /** Whether the router accepts IPv4 routes with an IPv6 next hop (RFC 8950). */
    readonly extendedNextHop?: boolean;
    readonly extendedMessages?: boolean;
    /** Seconds between the router's attempts to connect. */
    readonly connectRetrySeconds?: number;
  };
}

/** A route as a daemon shows it. A field is absent when the daemon does not show it. */
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
  /** Routes of both families that the daemon has received from us and still holds. */
  routes(): Promise<readonly SeenRoute[]>;
  /** Only the prefixes of the routes. A daemon has this method when whole routes are slow to read. */
  prefixes?(): Promise<readonly string[]>;
  /** Sends ROUTE-REFRESH for both families. */
  refresh(): Promise<void>;
  /** Ends the session with a shutdown communication (RFC 9003). */
  shutdown(message: string): Promise<void>;
  /** Everything that the daemon has logged. */
  log(): string;
}

/** Rows of the interoperability matrix. */
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
  'graceful restart without a lost route',
  'long-lived graceful restart',
  'hold timer expiry',
  'shutdown message from the peer',
  'shutdown message to the peer',
  'extended messages',
] as const;
export type Feature = (typeof features)[number];

export interface Daemon {
  readonly name: string;
  /** Features that the daemon lacks, with the reason. Their tests are skipped. */
  readonly cannot: Readonly<Partial<Record<Feature, string>>>;
  version(): Promise<string>;
  /** Starts the daemon in the foreground in the namespace, with its files in the directory. */
  start(namespace: NetworkNamespace, config: RouterConfig, directory: string): Promise<RunningDaemon>;
}
