/**
 * Adoption: with `--adopt-only`, a speaker runs beside another program that still announces the addresses. The speaker holds all addresses
 * back, and announces only what an object admits with the key `bellman.dev/takeover`:
 *
 *     layer 2   a Service by an annotation, or its pool by an annotation of the ConfigMap
 *     BGP       this node by a label of its Node, once no other program on the node has a session with a peer
 *
 * An admitted layer-2 address is still held back until its announcing record names a first owner (`first-owners.ts`). All nodes then elect that
 * owner. Usually it is the node from which the other program answers, so that no neighbour has to learn another MAC.
 */
import { takeoverKey } from '../../cluster/names.ts';
import type { Node } from '../../kubernetes/model.ts';
import type { KeptService } from './kept-objects.ts';

/** Pools whose layer-2 addresses are admitted: all of them, or those with these names. */
export type AdmittedPools = 'all' | ReadonlySet<string>;

export const noPools: AdmittedPools = new Set();

/** The part of the adoption that the plan of a Service needs. */
export interface AdoptionRules {
  readonly pools: AdmittedPools;
  /** Whether this node announces by BGP. */
  readonly announcesByBgp: boolean;
  /**
   * Whether nodes were allowed to answer for the layer-2 address at some time since it was admitted. Such an address is not held back again when
   * its line in the announcing record is lost.
   */
  readonly wasLive: (address: string) => boolean;
}

/** An address that this node does not announce because of `--adopt-only`. */
export interface HeldAddress {
  readonly address: string;
  readonly pool: string;
  readonly protocol: 'bgp' | 'layer2';
  /** Names of the peers that would receive it. */
  readonly peers: readonly string[];
  /** Whether an object admits the address in layer 2. The address then waits only for its first owner. Always false for BGP. */
  readonly isAdmitted: boolean;
  /** Whether a node may answer for it in layer 2. */
  readonly mayAnswer: (node: string) => boolean;
}

/** Reads the annotation of the ConfigMap: names of pools with commas between them, or `*` for all pools. */
export function parseAdmittedPools(text: string | undefined): AdmittedPools {
  const names = (text ?? '').split(',').map((name) => name.trim());
  return names.includes('*') ? 'all' : new Set(names.filter((name) => name !== ''));
}

export function isSamePools(a: AdmittedPools, b: AdmittedPools): boolean {
  return textOf(a) === textOf(b);
}

/** Whether the label of the Node admits its BGP sessions. */
export function isNodeAdmitted(node: Node | undefined): boolean {
  return node?.labels[takeoverKey] === 'true';
}

/** Whether a layer-2 address of the Service is admitted. */
export function isServiceAdmitted({ annotations }: KeptService, pool: string, pools: AdmittedPools): boolean {
  return annotations[takeoverKey] === 'true' || pools === 'all' || pools.has(pool);
}

function textOf(pools: AdmittedPools): string {
  return pools === 'all' ? '*' : [...pools].sort().join();
}
