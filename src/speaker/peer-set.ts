import type { ResolvedPeer } from '../bgp/index.ts';
import type { Config } from '../config/config.ts';
import type { Node, Secret } from '../kubernetes/model.ts';
import { type IdentifiedPeer, identifyPeers } from './peer-identities.ts';
import { PeerPasswords } from './peer-passwords.ts';
import { peersOfNode } from './peer-routes.ts';
import { peerSettingsOf } from './peer-settings.ts';
import { routerIdOf } from './router-id.ts';

/** A fault that lies in the cluster and not in the configuration's text, such as a missing Secret. */
export interface PeerTrouble {
  readonly peer: string;
  readonly reason: string;
}

export interface PeerSetChange {
  readonly peers: readonly ResolvedPeer[];
  /** Troubles that are new since the last change. */
  readonly troubles: readonly PeerTrouble[];
}

/** The BGP peers of this node, resolved from configuration, Node and Secrets. */
export class PeerSet {
  readonly #nodeName: string;
  readonly #passwords: PeerPasswords;
  #peers: readonly IdentifiedPeer[] = [];
  #idOfName: ReadonlyMap<string, string> = new Map();
  #resolved = '';
  #lastNode: Node | undefined;
  /** The troubles reported last, by name of the peer. */
  #troubles: ReadonlyMap<string, string> = new Map();

  constructor(nodeName: string, namespace: string) {
    this.#nodeName = nodeName;
    this.#passwords = new PeerPasswords(namespace);
  }

  setSecret(name: string, secret: Secret | undefined): void {
    this.#passwords.setSecret(name, secret);
  }

  /** Resolves the peers again. Returns `undefined` when nothing has changed. */
  update(config: Config, currentNode: Node | undefined): PeerSetChange | undefined {
    const node = this.#completeNode(currentNode);
    this.#peers = identifyPeers(this.#peers, peersOfNode(config, node));
    this.#idOfName = new Map(this.#peers.map(({ id, config: { name } }) => [name, id]));
    const passwords = this.#passwords.resolve(this.#peers);
    const peers = this.#peers.map(
      ({ id, config: peer }, i): ResolvedPeer => ({
        id,
        settings: peerSettingsOf(peer),
        routerId: peer.routerId ?? routerIdOf(this.#nodeName, node),
        ...passwords[i],
      }),
    );
    const text = JSON.stringify(peers, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
    if (text === this.#resolved) return undefined;
    this.#resolved = text;
    return { peers, troubles: this.#newTroubles(peers) };
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

  #newTroubles(peers: readonly ResolvedPeer[]): PeerTrouble[] {
    const troubles = peers.flatMap(({ settings, waitingFor, warning }) => {
      const reason = waitingFor ?? warning;
      return reason === undefined ? [] : [{ peer: settings.name, reason }];
    });
    const before = this.#troubles;
    this.#troubles = new Map(troubles.map(({ peer, reason }) => [peer, reason]));
    return troubles.filter(({ peer, reason }) => before.get(peer) !== reason);
  }
}
