/**
 * Stage 2 of reading the configuration turns YAML nodes into plain data of the schema's shape. It checks the names of keys, and the type
 * and bounds of each value. It leaves everything that needs two values at once to the next stage.
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
