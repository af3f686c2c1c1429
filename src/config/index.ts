/**
 * The configuration: the YAML of one ConfigMap becomes a typed Config in three stages, and a gate judges every edit. Everything here is
 * pure: text in, values out.
 *
 *   text ── text/ ──→ nodes with offsets ── schema/ ──→ data of the schema's shape ── resolve/ ──→ Config
 *             │                               │                                          │
 *             └───────────────────────────────┴──────→ ConfigError[] ←───────────────────┘
 *
 * Each stage has one entry (its `index.ts`) and imports only from the stages before it; `parse.ts` runs them in order.
 *
 * The format is a superset of MetalLB's ConfigMap of v0.9 to v0.12: the same keys, defaults and refusals, and the same reading of YAML
 * 1.1 values (`auto-assign: no` is false, an empty value is an absent one). Bellman also refuses some texts that MetalLB accepts but that
 * are almost certainly mistakes, such as two peers that are one session, or a hold time that rounds down to zero.
 *
 * The parser reports all errors at once, each with its path, line and column: it leaves out values of the wrong shape and goes on with
 * the rest. It refuses keys that nothing implements yet; it never ignores one. The cost of a hostile text is bounded by limits:
 * 1 MiB of text, 20 levels, 200,000 values after aliases are followed, and 1000 reported errors.
 *
 * `gate.ts` judges an edit against the addresses in use. `pool-index.ts` finds the pool of an address, `pool-order.ts` holds the order
 * in which pools are tried, and `usable-addresses.ts` says which addresses a pool may hand out.
 */
export * from './config.ts';
export { type ConfigError, formatConfigError } from './errors.ts';
export { formatConfig } from './format.ts';
export { type AssignedAddress, judge, rejectionReason } from './gate.ts';
export { parseConfig } from './parse.ts';
export { PoolIndex, poolIndexOf } from './pool-index.ts';
export { comparePools } from './pool-order.ts';
export { configJsonSchema } from './schema/index.ts';
export { anySelectorMatches, type Labels } from './selector.ts';
export { spellingHint } from './spelling.ts';
export { findConfigs, maxTextOctets } from './text/index.ts';
export { addressOfRank, isBuggy, rankOf, usableInterval, usableSize } from './usable-addresses.ts';
