/**
 * Stage 1 of reading the configuration turns text into YAML nodes that carry their offsets. It judges only the syntax. The next
 * stage judges the keys.
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
