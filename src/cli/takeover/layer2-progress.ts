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
  /** Addresses whose Services have no ready endpoint. No node may answer for them. */
  readonly idle: ReadonlySet<string>;
  /**
   * Addresses for which the announcing record names a node, although no speaker answers for them. An address of an admitted Service is left out,
   * because the first owner of the address writes itself into the record before it answers.
   */
  readonly stale: readonly AddressFacts[];
  /** Whether all of the pool's addresses are admitted. */
  readonly isAdmitted: boolean;
  /** The first address whose Service is admitted. One that is not idle is preferred. */
  readonly first: AddressFacts | undefined;
}

/** The progress of each pool that is announced in layer 2. */
export function layer2Progress({ pools, nodes, admittedPools }: TakeoverFacts): Layer2Progress[] {
  const statuses = nodes.flatMap(({ speaker }) => (speaker.ok ? [speaker.value] : []));
  const answering = new Set(statuses.flatMap(({ announcing }) => Object.keys(announcing)));
  const held = statuses.flatMap(({ adoption }) => adoption?.held ?? []);
  // One speaker that knows the node of a MAC is enough: a speaker that has just started may not know the nodes of all MACs yet.
  const knownMacs = new Set(
    held.flatMap(({ seenMac = '', seenOn = '' }) => (seenOn === '' ? [] : [seenMac])),
  );
  const seen = new Map<string, Set<string>>();
  for (const { address, seenMac = '' } of held)
    if (seenMac !== '') seen.set(address, (seen.get(address) ?? new Set()).add(seenMac));
  // A speaker that learns late of an endpoint still reports that the address has none. If another speaker holds the address back, that speaker
  // knows of an endpoint, and the address does not count as idle.
  const isHeld = new Set(held.map(({ address }) => address));
  const withoutEndpoint = new Set(
    statuses
      .flatMap(({ notAnnounced }) => notAnnounced.filter(({ cause }) => cause === 'no-endpoint'))
      .filter(({ address }) => !isHeld.has(address))
      .map(({ service, address }) => `${service} ${address}`),
  );
  return pools
    .filter(({ protocols }) => protocols.includes('layer2'))
    .map(({ name, addresses }: PoolFacts) => {
      const texts = [...new Set(addresses.map(({ address }) => address))];
      const served = addresses.filter(
        (each) => !withoutEndpoint.has(`${each.namespace}/${each.service} ${each.address}`),
      );
      const active = new Set([...served.map(({ address }) => address), ...answering]);
      const idle = new Set(texts.filter((text) => !active.has(text)));
      const admitted = addresses.filter(({ isAdmitted }) => isAdmitted);
      return {
        pool: name,
        addresses: texts.length,
        answered: texts.filter((text) => answering.has(text)).length,
        seen: texts.filter((text) => !answering.has(text) && seen.has(text)).length,
        foreign: texts.flatMap((text) => {
          const macs = answering.has(text) ? [] : [...(seen.get(text) ?? [])];
          return macs.filter((mac) => !knownMacs.has(mac)).map((mac) => `${text} (no node, ${mac})`);
        }),
        idle,
        stale: addresses.filter(
          ({ address, isAdmitted, recordedNode }) =>
            recordedNode !== undefined && !isAdmitted && !answering.has(address),
        ),
        isAdmitted: admittedPools.includes('*') || admittedPools.includes(name),
        first: admitted.find(({ address }) => !idle.has(address)) ?? admitted[0],
      };
    });
}
