/**
 * Stage 2: YAML nodes to plain data of the schema's shape. Names of keys, types and bounds of single values; nothing that needs two
 * values at once.
 */
export { configJsonSchema } from './json-schema.ts';
export { type Complain, type Findings, readShape } from './read-shape.ts';
export {
  configSchema,
  type RawBgpAdvertisement,
  type RawConfig,
  type RawPeer,
  type RawPool,
  type RawSelector,
  type Sound,
} from './schema.ts';
