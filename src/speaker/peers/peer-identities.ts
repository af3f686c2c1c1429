import { formatIp } from '../../address/index.ts';
import type { PeerConfig } from '../../config/config.ts';

/** A peer with the id that it keeps while it is configured. */
export interface IdentifiedPeer {
  readonly id: string;
  readonly config: PeerConfig;
}

/**
 * Matches the peers of an edited configuration to the peers before the edit: by endpoint and name, then by endpoint, then by name. A peer
 * therefore keeps its id when its name or its endpoint changes, and a new name does not end its session. Unmatched peers get an unused id.
 */
export function identifyPeers(
  before: readonly IdentifiedPeer[],
  now: readonly PeerConfig[],
): IdentifiedPeer[] {
  const unmatched = new Set(before);
  const ids = new Map<PeerConfig, string>();
  const match = (isSame: (before: PeerConfig, now: PeerConfig) => boolean) => {
    for (const config of now) {
      const found = ids.has(config) ? undefined : [...unmatched].find((old) => isSame(old.config, config));
      if (!found) continue;
      unmatched.delete(found);
      ids.set(config, found.id);
    }
  };
  match((a, b) => a.name === b.name && endpointOf(a) === endpointOf(b));
  match((a, b) => endpointOf(a) === endpointOf(b));
  match((a, b) => a.name === b.name);
  const taken = new Set(ids.values());
  return now.map((config) => {
    const id = ids.get(config) ?? unusedId(config.name, taken);
    taken.add(id);
    return { id, config };
  });
}

function endpointOf({ address, interface: zone, port, sourceAddress }: PeerConfig): string {
  return JSON.stringify([formatIp(address), zone, port, sourceAddress && formatIp(sourceAddress)]);
}

function unusedId(name: string, taken: ReadonlySet<string>): string {
  let id = name;
  for (let n = 2; taken.has(id); n++) id = `${name}~${n}`;
  return id;
}
