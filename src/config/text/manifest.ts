/**
 * Finds the configuration inside a file of manifests for `kubectl apply`, and maps lines of the configuration to lines of the file. A
 * literal block keeps every line, so places map exactly. For a scalar of any other style, all errors point at the start of the scalar.
 *
 *     data:                    file line 5
 *       config: |              file line 6
 *         peers:               file line 7 = line 1 of the configuration, columns shifted by the indent
 */
import { fail, ok, type Result } from '../../result.ts';
import type { ConfigError } from '../errors.ts';
import { LineIndex } from './line-index.ts';
import { findNode, readYaml, type YamlNode, type YamlScalar } from './yaml.ts';

/** A configuration inside a file. */
export interface FoundConfig {
  readonly text: string;
  /** Converts the place of an error from the configuration to the file. */
  readonly inFile: (error: ConfigError) => ConfigError;
}

/** The ConfigMap that holds the configuration, and the key under `data`. */
export interface ConfigMapKey {
  readonly name: string;
  readonly key: string;
}

/** Largest depth of nesting. Custom resource definitions nest deeply and may be in the same file. */
const maxDepth = 100;

/**
 * Finds the configurations in a file. A file without manifests is itself a configuration. In a file of manifests, each ConfigMap may hold
 * a configuration. If some ConfigMap has the given name, all ConfigMaps of other names are left out. Fails when the file holds manifests
 * but no configuration.
 */
export function findConfigs(
  fileText: string,
  { name, key }: ConfigMapKey,
): Result<readonly FoundConfig[], ConfigError> {
  const read = readYaml(fileText, maxDepth);
  // A text that `readYaml` refuses has no structure to search. The caller judges the text as a configuration and refuses it too.
  if (!read.ok) return ok([{ text: fileText, inFile: (error) => error }]);
  const roots = read.value.map(({ root }) => root);
  if (!roots.some(isManifest)) return ok([{ text: fileText, inFile: (error) => error }]);
  const configMaps = roots.flatMap(itemsOf).filter((root) => textAt(root, ['kind']) === 'ConfigMap');
  const named = configMaps.filter((root) => textAt(root, ['metadata', 'name']) === name);
  const places = new LineIndex(fileText);
  const found = (named.length > 0 ? named : configMaps).flatMap((root) => {
    const scalar = scalarAt(root, ['data', key]);
    return scalar ? [locate(scalar, places)] : [];
  });
  if (found.length > 0) return ok(found);
  return fail({ path: '', line: 1, column: 1, message: `no ConfigMap here has a text under data.${key}` });
}

function isManifest(root: YamlNode): boolean {
  return root.kind === 'mapping' && root.entries.has('kind') && root.entries.has('apiVersion');
}

/** The items of a `kind: List`, or else the object itself. */
function itemsOf(root: YamlNode): readonly YamlNode[] {
  const items = root.kind === 'mapping' ? root.entries.get('items')?.value : undefined;
  return items?.kind === 'sequence' ? items.items : [root];
}

function scalarAt(root: YamlNode, path: readonly string[]): YamlScalar | undefined {
  const { node, isFound } = findNode(root, path);
  return isFound && node.kind === 'scalar' ? node : undefined;
}

function textAt(root: YamlNode, path: readonly string[]): string | undefined {
  return scalarAt(root, path)?.text;
}

function locate({ text, offset, literal }: YamlScalar, places: LineIndex): FoundConfig {
  if (!literal) {
    const place = places.placeOf(offset);
    const inFile = ({ path, line, message }: ConfigError): ConfigError => ({
      path,
      ...place,
      message: `${message} (line ${line} of the configuration)`,
    });
    return { text, inFile };
  }
  const { line: firstLine } = places.placeOf(literal.offset);
  return {
    text,
    inFile: ({ path, line, column, message }) => ({
      path,
      line: firstLine + line - 1,
      column: column + literal.indent,
      message,
    }),
  };
}
