/** Objects of the Kubernetes API as the converters read them, from manifests or from the API server. */
import { LineIndex, readYaml, type YamlNode } from '../config/text/index.ts';
import { fail, ok, type Result } from '../result.ts';
import { Fields } from './fields.ts';
import { isMapping } from './mapping.ts';
import type { Report, SourceFault, SourceField } from './report.ts';
import { show } from './text.ts';

export interface SourceObject {
  /** Group and version, for example `metallb.io/v1beta1`. */
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty for an object without a namespace. */
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** The whole object. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** The object as rows and faults name it. */
export function placeOf({ kind, namespace, name }: SourceObject, field = ''): SourceField {
  return { object: `${kind} ${namespace === '' ? '' : `${show(namespace)}/`}${show(name)}`, field };
}

/** The fields under `spec`; without a `spec` there are none. */
export function specOf(object: SourceObject, report: Report): Fields {
  const at = placeOf(object, 'spec');
  const { spec } = object.body;
  if (isMapping(spec)) return new Fields(spec, at, report);
  if (spec !== undefined && spec !== null) report.refuse(at, `expected keys and values, not ${show(spec)}`);
  return new Fields({}, at, report);
}

/** Largest depth of nesting. Custom resource definitions nest deeply and may be in the same file. */
const maxDepth = 100;

/**
 * Reads the objects of a file of manifests. A `List` counts as its items. Fails with all faults at once: broken YAML with line and column,
 * and documents that are not objects of Kubernetes.
 */
export function readObjects(fileName: string, text: string): Result<SourceObject[], SourceFault[]> {
  const read = readYaml(text, maxDepth);
  const lines = new LineIndex(text);
  const fault = (offset: number, message: string): SourceFault => {
    const { line, column } = lines.placeOf(offset);
    return { object: `${fileName}:${line}:${column}`, field: '', message };
  };
  if (!read.ok) return fail([fault(read.error.offset, read.error.message)]);
  const faults: SourceFault[] = [];
  const objects: SourceObject[] = [];
  for (const { root, errors } of read.value) {
    faults.push(...errors.map(({ offset, message }) => fault(offset, message)));
    if (root.kind === 'scalar' && root.value === null) continue;
    const found = objectsIn(plainValueOf(root));
    if (found.ok) objects.push(...found.value);
    else faults.push(fault(root.offset, found.error));
  }
  if (faults.length > 0) return fail(faults);
  return ok(objects);
}

/** The objects of one value: the items of a `List`, or the object itself. */
export function objectsIn(value: unknown): Result<SourceObject[], string> {
  if (!isMapping(value) || typeof value.kind !== 'string' || typeof value.apiVersion !== 'string')
    return fail('not an object of Kubernetes; expected apiVersion, kind and metadata');
  if (!Array.isArray(value.items)) {
    const object = objectOf(value, value.apiVersion, value.kind);
    return object.ok ? ok([object.value]) : object;
  }
  // The server leaves out apiVersion and kind of the items of a typed list.
  const itemKind = value.kind === 'List' ? undefined : value.kind.replace(/List$/, '');
  const objects: SourceObject[] = [];
  for (const [i, item] of value.items.entries()) {
    const apiVersion =
      isMapping(item) && typeof item.apiVersion === 'string' ? item.apiVersion : value.apiVersion;
    const kind = isMapping(item) && typeof item.kind === 'string' ? item.kind : itemKind;
    const object = kind === undefined ? fail('expected kind') : objectOf(item, apiVersion, kind);
    if (!object.ok) return fail(`items[${i}]: ${object.error}`);
    objects.push(object.value);
  }
  return ok(objects);
}

function objectOf(value: unknown, apiVersion: string, kind: string): Result<SourceObject, string> {
  if (!isMapping(value)) return fail(`expected an object, not ${show(value)}`);
  const { metadata } = value;
  if (!isMapping(metadata) || typeof metadata.name !== 'string' || metadata.name === '')
    return fail(`${show(kind)} without a name; expected metadata.name`);
  const { name, namespace } = metadata;
  return ok({
    apiVersion,
    kind,
    namespace: typeof namespace === 'string' ? namespace : '',
    name,
    labels: textsOf(metadata.labels),
    annotations: textsOf(metadata.annotations),
    body: value,
  });
}

function textsOf(value: unknown): Record<string, string> {
  if (!isMapping(value)) return {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, text]) =>
      typeof text === 'string' || typeof text === 'boolean' || typeof text === 'number'
        ? [[key, String(text)]]
        : [],
    ),
  );
}

/** The plain value of a node. The reader of YAML has bounded the number of nodes and refused `__proto__` as a key. */
function plainValueOf(node: YamlNode): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'sequence':
      return node.items.map(plainValueOf);
    case 'mapping':
      return Object.fromEntries(Array.from(node.entries, ([key, { value }]) => [key, plainValueOf(value)]));
  }
}
