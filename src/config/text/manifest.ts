/**
 * A file of manifests as `kubectl apply` takes it: where in it the configuration stands, and which line of the file each line of the
 * configuration is. A literal block keeps every line, so places map exactly; any other style of scalar is pointed at as a whole.
 *
 *     data:                    file line 5
 *       config: |              file line 6
 *         peers:               file line 7 = line 1 of the configuration, columns shifted by the indent
 */
import { configMapKey, configMapName } from '../../cluster/names.ts';
import { ok, type Result } from '../../result.ts';
import type { ConfigError } from '../errors.ts';
import { LineIndex } from './line-index.ts';
import { findNode, readYaml, type YamlNode, type YamlScalar } from './yaml.ts';

/** A configuration inside a file. */
interface FoundConfig {
  readonly text: string;
  /** The same error with its place in the file. */
  readonly inFile: (error: ConfigError) => ConfigError;
}

/** Custom resource definitions nest deeply, and may stand in the same file. */
const maxDepth = 100;

/** The configurations of a file: the file itself, or those of the ConfigMaps in it. The error is one of YAML. */
export function findConfigs(fileText: string): Result<readonly FoundConfig[], ConfigError> {
  const read = readYaml(fileText, maxDepth);
  // A text that is no YAML has no structure to find anything in: it is judged, and refused, as a configuration.
  if (!read.ok) return ok([{ text: fileText, inFile: (error) => error }]);
  const roots = read.value.map(({ root }) => root);
  if (!roots.some(isManifest)) return ok([{ text: fileText, inFile: (error) => error }]);
  const configMaps = roots.flatMap(itemsOf).filter((root) => textAt(root, ['kind']) === 'ConfigMap');
  const named = configMaps.filter((root) => textAt(root, ['metadata', 'name']) === configMapName);
  const places = new LineIndex(fileText);
  const found = (named.length > 0 ? named : configMaps).flatMap((root) => {
    const scalar = scalarAt(root, ['data', configMapKey]);
    return scalar ? [placed(scalar, places)] : [];
  });
  if (found.length > 0) return ok(found);
  return {
    ok: false,
    error: {
      path: '',
      line: 1,
      column: 1,
      message: `no ConfigMap here has a text under data.${configMapKey}`,
    },
  };
}

function isManifest(root: YamlNode): boolean {
  return root.kind === 'mapping' && root.entries.has('kind') && root.entries.has('apiVersion');
}

/** The objects of a `kind: List`, else the object itself. */
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

function placed({ text, offset, literal }: YamlScalar, places: LineIndex): FoundConfig {
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
