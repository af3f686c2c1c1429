/** Finds the BGP sessions that an edit of the configuration would restart, start, end or keep. Pure. */
import { type ResolvedPeer, settingsChange } from '../../bgp/index.ts';
import type { Config } from '../../config/config.ts';
import type { Node } from '../../kubernetes/model.ts';
import { peersOfNode } from '../plan/peer-routes.ts';
import { identifyPeers } from './peer-identities.ts';
import { peerSettingsOf } from './peer-settings.ts';
import { routerIdOf } from './router-id.ts';

export interface SessionEffect {
  /** The name of the peer after the edit, or before it if the session ends. */
  readonly peer: string;
  readonly kind: 'restart' | 'start' | 'end';
  readonly nodes: readonly string[];
}

/** The effects of an edit on the sessions of the nodes, one for each peer and kind. Secrets count as unchanged. */
export function sessionEffects(before: Config, after: Config, nodes: readonly Node[]): SessionEffect[] {
  const found = new Map<string, { peer: string; kind: SessionEffect['kind']; nodes: string[] }>();
  const note = (peer: string, kind: SessionEffect['kind'], node: string) => {
    const key = `${kind} ${peer}`;
    const effect = found.get(key) ?? { peer, kind, nodes: [] };
    effect.nodes.push(node);
    found.set(key, effect);
  };
  for (const node of nodes) {
    const old = identifyPeers([], peersOfNode(before, node));
    const now = identifyPeers(old, peersOfNode(after, node));
    for (const { id, config } of now) {
      const was = old.find((each) => each.id === id);
      if (!was) note(config.name, 'start', node.name);
      else if (settingsChange(resolved(was, node), resolved({ id, config }, node)) === 'restart')
        note(config.name, 'restart', node.name);
    }
    for (const { id, config } of old)
      if (!now.some((each) => each.id === id)) note(config.name, 'end', node.name);
  }
  return [...found.values()];
}

function resolved({ id, config }: ReturnType<typeof identifyPeers>[number], node: Node): ResolvedPeer {
  const { password, passwordSecret } = config;
  const key = password ?? (passwordSecret && `Secret ${passwordSecret.name} ${passwordSecret.key}`);
  return {
    id,
    settings: peerSettingsOf(config),
    routerId: config.routerId ?? routerIdOf(node.name, node),
    ...(key === undefined ? {} : { password: key }),
  };
}

/** The sessions of the node that neither start nor end with the edit, each with the names of its peer before and after the edit. */
export function lastingSessions(
  before: Config,
  after: Config,
  node: Node,
): { readonly earlierName: string; readonly name: string }[] {
  const old = identifyPeers([], peersOfNode(before, node));
  const names = new Map(old.map(({ id, config }) => [id, config.name]));
  return identifyPeers(old, peersOfNode(after, node)).flatMap(({ id, config: { name } }) => {
    const earlierName = names.get(id);
    return earlierName === undefined ? [] : [{ earlierName, name }];
  });
}
