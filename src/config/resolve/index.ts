/**
 * Stage 3 of reading the configuration turns data of the schema's shape into the typed Config. It reads values, adds defaults, and judges
 * references and overlaps.
 */

import { type Config, emptyConfig } from '../config.ts';
import type { Findings, RawConfig, Sound } from '../schema/index.ts';
import { resolveBfdProfiles } from './bfd.ts';
import { type Community, readCommunity, wellKnownCommunities } from './communities.ts';
import { resolveDeadNodes } from './dead-nodes.ts';
import { warnOfEffects } from './effects.ts';
import { resolveAnnounceDelay, resolveDrain, resolveTaintMatches } from './leaving.ts';
import { resolvePeers } from './peers.ts';
import { resolvePools } from './pools.ts';

export { printRange } from './values.ts';

/**
 * Returns the configuration. The caller must not use it if `findings` received an error. Values of the wrong shape are missing from `raw`.
 * All other values are judged, so that one mistake does not hide another.
 */
export function resolveConfig(raw: Sound<RawConfig>, findings: Findings): Config {
  const communities = new Map<string, Community>(wellKnownCommunities);
  for (const [name, text] of Object.entries(raw['bgp-communities'] ?? {})) {
    const community = text === undefined ? undefined : readCommunity(text);
    // The name of a faulty community stays known, so that no place that uses the name causes a second error.
    communities.set(name, community?.ok ? community.value : { kind: 'standard', value: 0 });
    if (community?.ok === false) findings.error(['bgp-communities', name], () => community.error);
  }
  const bfdProfiles = resolveBfdProfiles(raw['bfd-profiles'] ?? [], findings);
  const peers = resolvePeers(raw.peers ?? [], bfdProfiles, findings);
  const deadNodes = resolveDeadNodes(raw['dead-nodes'], findings);
  const rawPools = raw['address-pools'] ?? [];
  const pools = resolvePools(rawPools, { communities, peers: peers.names }, findings);
  const places = rawPools.flatMap((pool, i) =>
    pool?.name === undefined ? [] : [[pool.name, ['address-pools', i]] as const],
  );
  warnOfEffects({ peers: peers.configs, pools }, new Map(places), findings);
  return {
    peers: peers.configs,
    pools,
    bfdProfiles: bfdProfiles.configs,
    ignoreExcludedNodes: raw['ignore-excluded-nodes'] ?? false,
    leaveOnTaints: resolveTaintMatches(raw['leave-on-taints'] ?? [], findings),
    minAnnouncers: raw['min-announcers'] ?? emptyConfig.minAnnouncers,
    drain: resolveDrain(raw, communities, findings),
    announceDelaySeconds: resolveAnnounceDelay(raw, findings),
    ...(deadNodes ? { deadNodes } : {}),
  };
}
