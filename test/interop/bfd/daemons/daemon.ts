import type { ChildProcess } from 'node:child_process';
import type { NetworkNamespace } from '../../../../lab/netns.ts';
import type { BfdAuthenticationType } from '../../../../src/bfd/session-settings.ts';

/** The configuration of a BFD daemon whose only peer is Bellman, in a form that fits every daemon. */
export interface PeerConfig {
  readonly localAddress: string;
  readonly peerAddress: string;
  readonly interface: string;
  readonly multihop: boolean;
  readonly passive: boolean;
  readonly transmitIntervalMs: number;
  readonly receiveIntervalMs: number;
  readonly detectMultiplier: number;
  /** The interval at which the daemon accepts our Echo packets and sends its own. */
  readonly echoIntervalMs?: number;
  readonly authentication?: {
    readonly type: BfdAuthenticationType;
    /** The daemon signs with the first key, and accepts packets that are signed with any of the keys. */
    readonly keys: readonly { readonly id: number; readonly password: string }[];
  };
}

export interface RunningBfdDaemon {
  readonly process: ChildProcess;
  isUp(): Promise<boolean>;
  /** Changes intervals, multiplier and keys while the session goes on. */
  reconfigure(config: PeerConfig): Promise<void>;
  /** Takes the session administratively down, or lets it come up again. */
  setAdminDown(isDown: boolean): Promise<void>;
  log(): string;
}

/** Rows of the interoperability matrix. */
export const bfdFeatures = [
  'single hop over IPv4',
  'single hop over IPv6',
  'single hop over link-local addresses',
  'multihop',
  'the peer is passive',
  'Bellman is passive',
  'our intervals change while up',
  "the peer's intervals change while up",
  'AdminDown from us',
  'AdminDown from the peer',
  'a silent peer',
  'Echo packets',
  'keyed MD5',
  'meticulous MD5',
  'keyed SHA1',
  'meticulous SHA1',
  'new keys while up',
] as const;
export type BfdFeature = (typeof bfdFeatures)[number];

export interface BfdDaemon {
  readonly name: string;
  /** Features that the daemon lacks, with the reason. Their tests are skipped. */
  readonly cannot: Readonly<Partial<Record<BfdFeature, string>>>;
  /** The TTL of the daemon's multihop packets after they have passed one router. */
  readonly multihopTtl: number;
  version(): Promise<string>;
  /** Starts the daemon in the foreground in the namespace, with its files in the directory. */
  start(namespace: NetworkNamespace, config: PeerConfig, directory: string): Promise<RunningBfdDaemon>;
}
