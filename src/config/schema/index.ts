/**
 * Stage 2 of reading the configuration turns YAML nodes into plain data of the schema's shape. It checks the names of keys, and the type
 * and bounds of each value. The next stage makes all checks that need two values at once.
 */
export { configJsonSchema } from './json-schema.ts';
export { type Complain, type Findings, readShape } from './read-shape.ts';
export {
  configSchema,
  type RawBfdProfile,
  type RawBgpAdvertisement,
  type RawConfig,
  type RawLayer2Advertisement,
  type RawPeer,
  type RawPool,
  type RawSelector,
  type RawTaintMatch,
  type RawToleration,
  type Sound,
} from './schema.ts';
