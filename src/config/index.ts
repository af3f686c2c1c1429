/**
 * Turns the YAML of one ConfigMap into a typed Config, in three stages. A gate judges every edit. Everything here is pure: text in,
 * values out.
 *
 *   text ── text/ ──→ nodes with offsets ── schema/ ──→ data of the schema's shape ── resolve/ ──→ Config
 *             │                               │                                          │
 *             └───────────────────────────────┴──────→ ConfigError[] ←───────────────────┘
 *
 * Each stage has one entry (its `index.ts`) and imports only from the stages before it. `parse.ts` runs the stages in order.
 *
 * The format is a superset of the ConfigMap of MetalLB v0.9 to v0.12. The keys of MetalLB have the same names and defaults. Bellman refuses
 * each value that MetalLB refuses, except values that only Bellman has, such as `protocol: none`. YAML 1.1 values have the same meaning as in
 * MetalLB: `auto-assign: no` is false, and an empty value counts as absent. Bellman also refuses some texts that MetalLB accepts, because they
 * are almost certainly mistakes. Examples are two peers that describe the same session, and a hold time that rounds down to zero.
 *
 * The parser reports all errors at once, each with its path, line and column. It leaves out a value of the wrong shape and continues
 * with the next value. It never ignores a key: it refuses every key that is not implemented. Limits bound the cost of a hostile text:
 * 1 MiB of text, 20 levels of nesting, 200,000 values after aliases are followed, and 1000 reported errors.
 *
 * `gate.ts` judges an edit against the addresses in use. `pool-index.ts` finds the pool of an address, `pool-order.ts` holds the order
 * in which pools are tried, and `usable-addresses.ts` says which addresses of a pool may be assigned.
 */
export * from './config.ts';
export { type ConfigError, formatConfigError } from './errors.ts';
export { formatConfig } from './format.ts';
export { type AssignedAddress, type Judgement, judge, orphanSteps, rejectionReason } from './gate.ts';
export { parseConfig } from './parse.ts';
export { PoolIndex, poolIndexOf } from './pool-index.ts';
export { comparePools } from './pool-order.ts';
export { protocolText } from './protocols.ts';
export { printRange } from './resolve/index.ts';
export {
  configJsonSchema,
  type RawBfdProfile,
  type RawBgpAdvertisement,
  type RawConfig,
  type RawLayer2Advertisement,
  type RawPeer,
  type RawPool,
  type RawSelector,
} from './schema/index.ts';
export { anySelectorMatches, type Labels } from './selector.ts';
export { spellingHint } from './spelling.ts';
export { findConfigs, maxTextOctets } from './text/index.ts';
export { addressOfRank, isBuggy, rankOf, usableInterval, usableSize } from './usable-addresses.ts';
