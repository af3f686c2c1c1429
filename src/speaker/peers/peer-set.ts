import type { IpAddress } from '../../address/index.ts';
import type { ResolvedPeer } from '../../bgp/index.ts';
import type { Config } from '../../config/config.ts';
import type { Node, Secret } from '../../kubernetes/model.ts';
import type { WatchedPeer } from '../bfd/bfd-reports.ts';
import { type BfdSessionSet, BfdSessions, type BfdWarning } from '../bfd/bfd-sessions.ts';
import { peersOfNode } from '../plan/peer-routes.ts';
import { type IdentifiedPeer, identifyPeers } from './peer-identities.ts';
import { PeerPasswords } from './peer-passwords.ts';
import { peerSettingsOf } from './peer-settings.ts';
import { routerIdOf } from './router-id.ts';

/** A fault that shows only on a node and not when the configuration is checked, such as a missing Secret. */
export interface PeerTrouble {
  readonly peer: string;
  /** The part of the peer that has the fault: the password of the session, or its BFD. */
  readonly subject: 'password' | BfdWarning['subject'];
  readonly reason: string;
}

export interface PeerSetChange {
  readonly peers: readonly ResolvedPeer[];
  readonly bfd: BfdSessionSet;
  /** Troubles that are new since the last change. */
  readonly troubles: readonly PeerTrouble[];
}

/** The BGP peers of this node, resolved from configuration, Node and Secrets. */
export class PeerSet {
  readonly #nodeName: string;
  readonly #passwords: PeerPasswords;
  readonly #bfd: BfdSessions;
  #peers: readonly IdentifiedPeer[] = [];
  #idOfName: ReadonlyMap<string, string> = new Map();
  #resolved = '';
  #peersOfSession: ReadonlyMap<string, readonly WatchedPeer[]> = new Map();
  #lastNode: Node | undefined;
  /** The troubles reported last. */
  #troubles: ReadonlySet<string> = new Set();

  /** `isOnLink` says whether an interface of this node has a subnet with the address. */
  constructor(nodeName: string, namespace: string, isOnLink: (address: IpAddress) => boolean) {
    this.#nodeName = nodeName;
    this.#passwords = new PeerPasswords(namespace);
    this.#bfd = new BfdSessions(namespace, isOnLink);
  }

  setSecret(name: string, secret: Secret | undefined): void {
    this.#passwords.setSecret(name, secret);
    this.#bfd.setSecret(name, secret);
  }

  /** Resolves the peers again. Returns `undefined` when nothing has changed. */
  update(config: Config, currentNode: Node | undefined): PeerSetChange | undefined {
    const node = this.#completeNode(currentNode);
    this.#peers = identifyPeers(this.#peers, peersOfNode(config, node));
    this.#idOfName = new Map(this.#peers.map(({ id, config: { name } }) => [name, id]));
    const passwords = this.#passwords.resolve(this.#peers);
    const bfd = this.#bfd.resolve(config, this.#peers);
    const peers = this.#peers.map(({ id, config: peer }, i): ResolvedPeer => {
      const bfdWarning = bfd.peers.get(id)?.warning?.text;
      return {
        id,
        settings: peerSettingsOf(peer),
        routerId: peer.routerId ?? routerIdOf(this.#nodeName, node),
        ...passwords[i],
        ...(bfdWarning === undefined ? {} : { bfdWarning }),
      };
    });
    const text = JSON.stringify([peers, bfd.sessions], (_, value) =>
      typeof value === 'bigint' ? value.toString() : value,
    );
    if (text === this.#resolved) return undefined;
    this.#resolved = text;
    this.#peersOfSession = peersBySession(peers, bfd);
    return { peers, bfd, troubles: this.#newTroubles(peers, bfd) };
  }

  /** The peers that a BFD session watches. */
  peersOfBfdSession(sessionId: string): readonly WatchedPeer[] {
    return this.#peersOfSession.get(sessionId) ?? [];
  }

  /** The peers of each BFD session. The session has the name of its first peer. */
  watchedPeers(): Iterable<readonly WatchedPeer[]> {
    return this.#peersOfSession.values();
  }

  /** Id of the peer with this name. */
  idOf(name: string): string {
    return this.#idOfName.get(name) ?? name;
  }

  /**
   * Returns the Node. While the Node object is absent or has no addresses yet, fills in what the last Node object said. Deleting a Node and
   * creating it again therefore ends no session. A node without a Node object still does not announce, because `nodeRefusal` checks the
   * real object.
   */
  #completeNode(node: Node | undefined): Node | undefined {
    const internalIPs = node?.internalIPs.length ? node.internalIPs : (this.#lastNode?.internalIPs ?? []);
    this.#lastNode = node ? { ...node, internalIPs } : this.#lastNode;
    return this.#lastNode;
  }

  #newTroubles(peers: readonly ResolvedPeer[], bfd: BfdSessionSet): PeerTrouble[] {
    const troubles = peers.flatMap(({ id, settings, waitingFor, warning }) => {
      const bfdWarning = bfd.peers.get(id)?.warning;
      return [
        ...troubleOf(settings.name, 'password', waitingFor ?? warning),
        ...(bfdWarning ? troubleOf(settings.name, bfdWarning.subject, bfdWarning.text) : []),
      ];
    });
    const before = this.#troubles;
    this.#troubles = new Set(troubles.map((trouble) => JSON.stringify(trouble)));
    return troubles.filter((trouble) => !before.has(JSON.stringify(trouble)));
  }
}

function troubleOf(
  peer: string,
  subject: PeerTrouble['subject'],
  reason: string | undefined,
): readonly PeerTrouble[] {
  return reason === undefined ? [] : [{ peer, subject, reason }];
}

function peersBySession(
  peers: readonly ResolvedPeer[],
  bfd: BfdSessionSet,
): ReadonlyMap<string, readonly WatchedPeer[]> {
  const watched = new Map<string, WatchedPeer[]>();
  for (const { id, settings } of peers) {
    const session = bfd.peers.get(id)?.sessionId;
    if (session === undefined) continue;
    watched.set(session, [...(watched.get(session) ?? []), { id, name: settings.name }]);
  }
  return watched;
}
