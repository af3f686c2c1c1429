import type { AddressFacts, PoolFacts, TakeoverFacts } from './facts.ts';

/** How far the takeover of a pool in layer 2 has progressed. */
export interface Layer2Progress {
  readonly pool: string;
  readonly addresses: number;
  /** Addresses for which a speaker of Bellman answers. */
  readonly answered: number;
  /** Addresses that are held back, and for which a speaker has seen a host answer. */
  readonly seen: number;
  /** Addresses for which a host without a speaker of Bellman answers. Each text also names the MAC of this host. */
  readonly foreign: readonly string[];
  /** Addresses for which the announcing record names a node, although no speaker answers for them. */
  readonly stale: readonly AddressFacts[];
  /** Whether all of the pool's addresses are admitted. */
  readonly isAdmitted: boolean;
  /** The first address whose Service is admitted. */
  readonly first: AddressFacts | undefined;
}

const noNode = 'no node';

/** The progress of each pool that is announced in layer 2. */
export function layer2Progress({ pools, nodes, admittedPools }: TakeoverFacts): Layer2Progress[] {
  const statuses = nodes.flatMap(({ speaker }) => (speaker.ok ? [speaker.value] : []));
  const answering = new Set(statuses.flatMap(({ announcing }) => Object.keys(announcing)));
  const seen = new Map<string, Set<string>>();
  for (const { adoption } of statuses)
    for (const { address, seenMac = '', seenOn = '' } of adoption?.held ?? [])
      if (seenMac !== '')
        seen.set(address, (seen.get(address) ?? new Set()).add(seenOn || `${noNode}, ${seenMac}`));
  return pools
    .filter(({ protocols }) => protocols.includes('layer2'))
    .map(({ name, addresses }: PoolFacts) => {
      const texts = [...new Set(addresses.map(({ address }) => address))];
      return {
        pool: name,
        addresses: texts.length,
        answered: texts.filter((text) => answering.has(text)).length,
        seen: texts.filter((text) => !answering.has(text) && seen.has(text)).length,
        foreign: texts.flatMap((text) => {
          const hosts = [...(answering.has(text) ? [] : (seen.get(text) ?? []))];
          // One speaker that knows the node is enough: a speaker that has just started may not know the nodes of all MACs yet.
          return hosts.every((host) => host.startsWith(noNode))
            ? hosts.map((host) => `${text} (${host})`)
            : [];
        }),
        stale: addresses.filter(
          ({ address, recordedNode }) => recordedNode !== undefined && !answering.has(address),
        ),
        isAdmitted: admittedPools.includes('*') || admittedPools.includes(name),
        first: addresses.find(({ isAdmitted }) => isAdmitted),
      };
    });
}
