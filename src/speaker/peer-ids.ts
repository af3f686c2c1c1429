import { formatIp } from '../address/index.ts';
import type { PeerConfig } from '../config/config.ts';

/** A peer with the id that it keeps for as long as it is configured. */
export interface IdentifiedPeer {
  readonly id: string;
  readonly config: PeerConfig;
}

/**
 * Finds the peers of an edited configuration again: a peer is the one with the same endpoint, else the one with the same name, so
 * that neither a new name nor a new address makes another peer of it. New ones get an id that nobody has. Pure.
 */
export function identifyPeers(
  before: readonly IdentifiedPeer[],
  now: readonly PeerConfig[],
): IdentifiedPeer[] {
  const left = new Set(before);
  const ids = new Map<PeerConfig, string>();
  const match = (isSame: (before: PeerConfig, now: PeerConfig) => boolean) => {
    for (const config of now) {
      const found = ids.has(config) ? undefined : [...left].find((old) => isSame(old.config, config));
      if (!found) continue;
      left.delete(found);
      ids.set(config, found.id);
    }
  };
  match((a, b) => a.name === b.name && endpointOf(a) === endpointOf(b));
  match((a, b) => endpointOf(a) === endpointOf(b));
  match((a, b) => a.name === b.name);
  const taken = new Set(ids.values());
  return now.map((config) => {
    const id = ids.get(config) ?? freeId(config.name, taken);
    taken.add(id);
    return { id, config };
  });
}

function endpointOf({ address, interface: zone, port, sourceAddress }: PeerConfig): string {
  return JSON.stringify([formatIp(address), zone, port, sourceAddress && formatIp(sourceAddress)]);
}

function freeId(name: string, taken: ReadonlySet<string>): string {
  let id = name;
  for (let n = 2; taken.has(id); n++) id = `${name}~${n}`;
  return id;
}
