/**
 * Stage 1: text to YAML nodes that know where they stand. Syntax only: what a key means is the business of the next stage.
 */
export { LineIndex } from './line-index.ts';
export { findConfigs } from './manifest.ts';
export {
  findNode,
  maxTextOctets,
  readYaml,
  type YamlDocument,
  type YamlNode,
  type YamlScalar,
} from './yaml.ts';
