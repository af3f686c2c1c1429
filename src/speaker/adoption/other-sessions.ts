import { readFile } from 'node:fs/promises';
import { sameIp } from '../../address/index.ts';
import type { Clock, Timer } from '../../clock.ts';
import type { PeerConfig } from '../../config/config.ts';
import type { BgpAdoption } from './adoption-state.ts';
import { type Connection, readConnections } from './tcp-table.ts';

/**
 * A router cannot have two sessions with one address, so this speaker waits for the end of the other program's session. From that end until this
 * speaker looks again, the node has no session. The interval is therefore short.
 */
const waitingEveryMs = 100;
const calmEveryMs = 2000;
const bgpPort = 179;
const tables = ['/proc/net/tcp', '/proc/net/tcp6'];

export interface OtherSessionsOptions {
  readonly clock: Clock;
  readonly adoption: () => BgpAdoption;
  readonly peers: () => readonly PeerConfig[];
  /** Receives the names of the peers with which another program on this host has a session. */
  readonly found: (peers: ReadonlySet<string>) => void;
  readonly read?: (path: string) => Promise<string>;
}

/**
 * Looks for BGP sessions of other programs on this host, by their TCP connections with the peers. The speaker shares the network of its node,
 * so it sees the connections of every program. While the adoption state of this node is `live`, the speaker has sessions of its own. It then does
 * not look, because it would find these.
 */
export class OtherSessions {
  readonly #options: OtherSessionsOptions;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: OtherSessionsOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#check();
  }

  /** Looks now instead of waiting for the next time. */
  hurry(): void {
    if (!this.#timer) return;
    this.#timer.cancel();
    void this.#check();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  async #check(): Promise<void> {
    this.#timer = undefined;
    const { clock, adoption, peers, found, read = (path) => readFile(path, 'latin1') } = this.#options;
    if (adoption() !== 'live') {
      const texts = await Promise.all(tables.map((path) => read(path).catch(() => '')));
      const connections = texts.flatMap(readConnections);
      if (adoption() !== 'live' && !this.#isStopped) found(peersWithSession(peers(), connections));
    }
    if (this.#isStopped) return;
    const everyMs = adoption() === 'waiting' ? waitingEveryMs : calmEveryMs;
    this.#timer = clock.after(everyMs, () => void this.#check());
  }
}

/** Names of the peers with which a connection exists, whichever end has opened it. */
export function peersWithSession(
  peers: readonly PeerConfig[],
  connections: readonly Connection[],
): ReadonlySet<string> {
  const hasSession = ({ address, port }: PeerConfig) =>
    connections.some(
      ({ remote, remotePort, localPort }) =>
        sameIp(remote, address) && (remotePort === port || localPort === bgpPort),
    );
  return new Set(peers.filter(hasSession).map(({ name }) => name));
}
