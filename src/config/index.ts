/**
 * The configuration: one ConfigMap's YAML to a typed Config, and the judgement on every edit of it. Pure: text in, values out.
 *
 *   text ──yaml.ts──→ nodes with places ──read-shape.ts──→ what is sound of the shape ──resolve*.ts──→ Config
 *                                              ↑                       │                        │
 *                             schema.ts (zod) ─┘                       └──→ ConfigError[] ←─────┘
 *
 * The format is a superset of MetalLB's ConfigMap of v0.9 to v0.12: the same keys, defaults and refusals, read with the same eyes
 * (`auto-assign: no`, an empty value as an absent one). On top of that it refuses what MetalLB would take and most likely nobody
 * means: host bits set in a prefix, two peers that are one session, a hold time that rounds down to nothing.
 *
 * All errors are found at once, each with path, line and column: what has the wrong shape is taken out and the rest judged on. Keys that
 * nothing implements yet are refused, never ignored. Hostile text is refused at a cost bounded by its length: 1 MiB, 20 levels, 200,000
 * values with those behind aliases, a thousand errors told.
 *
 * `gate.ts` judges an edit against the addresses in use; `accepted.ts` stores what was accepted; `validate.ts` is the same judgement
 * for files; `json-schema.ts` the same shape for editors.
 */
export * from './accepted.ts';
export * from './config.ts';
export { type ConfigError, formatConfigError } from './errors.ts';
export { formatConfig } from './format.ts';
export * from './gate.ts';
export { parseConfig } from './parse.ts';
export * from './selector.ts';
