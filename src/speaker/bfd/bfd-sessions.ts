/** The BFD sessions of this node, derived from its BGP peers. */

import { formatIp, type IpAddress, isLinkLocal } from '../../address/index.ts';
import type { BfdMode, BfdSessionSettings } from '../../bfd/session-settings.ts';
import type { BfdProfile, Config, PeerConfig } from '../../config/config.ts';
import type { Secret } from '../../kubernetes/model.ts';
import type { IdentifiedPeer } from '../peers/peer-identities.ts';
import { BfdKeys } from './bfd-keys.ts';

/** The use of BFD for one peer. */
export interface PeerBfdState {
  /** Id of the session that watches the peer. The id identifies the path. Absent while no session can run. */
  readonly sessionId?: string;
  /** How the session differs from what the configuration asks for. */
  readonly warning?: BfdWarning;
}

export interface BfdWarning {
  /** The keys are missing or unusable, or the session follows the profile of another peer. */
  readonly subject: 'bfd-keys' | 'bfd-sharing';
  /** A sentence. */
  readonly text: string;
}

export interface BfdSessionSet {
  readonly sessions: readonly BfdSessionSettings[];
  /** By id of the peer. Peers without BFD are missing. */
  readonly peers: ReadonlyMap<string, PeerBfdState>;
  /**
   * Ids of the peers whose session is new, has been replaced by another one, or is gone. Earlier reports about these peers no longer apply.
   */
  readonly replaced: readonly string[];
}

interface WantedSession {
  readonly settings: BfdSessionSettings;
  readonly profile: BfdProfile;
}

export class BfdSessions {
  readonly #keys: BfdKeys;
  readonly #isOnLink: (address: IpAddress) => boolean;
  /** Addresses of internal peers that have been seen on a link of this node. */
  readonly #onLink = new Set<string>();
  /** The path of each peer's session, by id of the peer. */
  #paths: ReadonlyMap<string, string> = new Map();

  /** `isOnLink` says whether an interface of this node has a subnet with the address. */
  constructor(namespace: string, isOnLink: (address: IpAddress) => boolean) {
    this.#keys = new BfdKeys(namespace);
    this.#isOnLink = isOnLink;
  }

  setSecret(name: string, secret: Secret | undefined): void {
    this.#keys.setSecret(name, secret);
  }

  resolve(config: Config, peers: readonly IdentifiedPeer[]): BfdSessionSet {
    const profiles = new Map(config.bfdProfiles.map((profile) => [profile.name, profile]));
    this.#keys.keepOnly(config.bfdProfiles.flatMap(({ authentication }) => authentication ?? []));
    const sessions = new Map<string, WantedSession>();
    const states = new Map<string, PeerBfdState>();
    const paths = new Map<string, string>();
    for (const { id, config: peer } of peers) {
      const profile = peer.bfd && profiles.get(peer.bfd.profile);
      if (!profile) continue;
      const mode = this.#modeOf(peer, profile);
      const key = pathOf(peer, mode);
      const shared = sessions.get(key);
      const settings = settingsOf(key, peer, profile, mode);
      if (shared) {
        paths.set(id, key);
        states.set(id, sharing(shared, { settings, profile }));
        continue;
      }
      const { authentication, warning: text } = profile.authentication
        ? this.#keys.resolve(profile.authentication)
        : {};
      const canRun = !profile.authentication || authentication !== undefined;
      states.set(id, {
        ...(canRun ? { sessionId: key } : {}),
        ...(text === undefined ? {} : { warning: { subject: 'bfd-keys', text } }),
      });
      if (!canRun) continue;
      paths.set(id, key);
      sessions.set(key, {
        settings: { ...settings, ...(authentication ? { authentication } : {}) },
        profile,
      });
    }
    const before = this.#paths;
    this.#paths = paths;
    const replaced = peers.map(({ id }) => id).filter((id) => before.get(id) !== paths.get(id));
    return { sessions: [...sessions.values()].map(({ settings }) => settings), peers: states, replaced };
  }

  /**
   * A peer with `ebgp-multihop` may be several hops away. An internal peer that is not on a link of this node may be several hops away too. The
   * session of such a peer uses multihop mode. FRR, which MetalLB uses, has the same rule. Both ends of a session must use the same mode. When a
   * link goes down, its subnet disappears, although the peer does not move. An address that was once on a link therefore counts as on the link
   * from then on.
   */
  #modeOf(peer: PeerConfig, { minimumTtl }: BfdProfile): BfdMode {
    const isExternalMultihop = (peer.ebgpMultihop ?? 1) > 1;
    const isFar = isExternalMultihop || (isInternal(peer) && !this.#wasOnLink(peer.address));
    return isFar ? { kind: 'multihop', minimumTtl } : { kind: 'single-hop' };
  }

  #wasOnLink(address: IpAddress): boolean {
    const text = formatIp(address);
    if (!this.#onLink.has(text) && (isLinkLocal(address) || this.#isOnLink(address))) this.#onLink.add(text);
    return this.#onLink.has(text);
  }
}

function isInternal({ peerAsn, localAsn, myAsn }: PeerConfig): boolean {
  return peerAsn === 'internal' || peerAsn === (localAsn ?? myAsn);
}

/**
 * Identifies the path, and its session: there is one session for each path (RFC 5881 section 2, RFC 5883 section 4.1). The session goes on
 * while peers that share the path are added and removed.
 */
function pathOf({ address, interface: device, sourceAddress }: PeerConfig, { kind }: BfdMode): string {
  return JSON.stringify([formatIp(address), device, sourceAddress && formatIp(sourceAddress), kind]);
}

/** Two BGP peers at one address, for instance with two ports, share the BFD session of the first. */
function sharing(shared: WantedSession, own: WantedSession): PeerBfdState {
  const { id, name } = shared.settings;
  if (requestOf(shared) === requestOf(own)) return { sessionId: id };
  const text =
    `BFD runs with bfd-profile ${shared.profile.name} of peer ${name}, which has the same address, and not with ` +
    `bfd-profile ${own.profile.name}; give both peers the same profile`;
  return { sessionId: id, warning: { subject: 'bfd-sharing', text } };
}

/**
 * The settings that the configuration asks for, as text to compare, without the name of the peer. A field of the profile that does not affect
 * the session, such as the echo interval without echo mode, is not part of the text.
 */
function requestOf({ settings, profile }: WantedSession): string {
  return JSON.stringify({ ...settings, name: '', authentication: profile.authentication });
}

function settingsOf(id: string, peer: PeerConfig, profile: BfdProfile, mode: BfdMode): BfdSessionSettings {
  const { address, interface: device, sourceAddress } = peer;
  return {
    id,
    name: peer.name,
    peerAddress: formatIp(address),
    ...(sourceAddress === undefined ? {} : { localAddress: formatIp(sourceAddress) }),
    ...(device === undefined ? {} : { interface: device }),
    mode,
    transmitIntervalMs: profile.transmitIntervalMs,
    receiveIntervalMs: profile.receiveIntervalMs,
    detectMultiplier: profile.detectMultiplier,
    passive: profile.passiveMode,
    ...(profile.echoMode ? { echo: { intervalMs: profile.echoIntervalMs } } : {}),
  };
}
