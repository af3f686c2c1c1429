import type { PoolConfig } from './config.ts';

/** The protocols of a pool in words: `bgp`, `layer2`, `bgp, layer2` or `none`. */
export function protocolText({ protocols }: Pick<PoolConfig, 'protocols'>): string {
  return protocols.length === 0 ? 'none' : protocols.join(', ');
}
