/**
 * Reads the lists of fields, `fields/*.txt`. The list of a source names every field of its API. A line that is not indented names a kind and its
 * API version. The indented lines below it name the fields of that kind. Such a line has the path of the field, the expected outcome, a value in
 * JSON, and the changes that the value needs: `with PATH JSON` sets another field, and `without PATH` removes one.
 */
import { readFileSync } from 'node:fs';
import { readObjects, type SourceObject } from '../../../src/convert/index.ts';

export interface ListedField {
  readonly kind: string;
  readonly apiVersion: string;
  readonly path: string;
  readonly outcome: string;
  readonly value: unknown;
  readonly with: readonly { readonly path: string; readonly value: unknown }[];
  readonly without: readonly string[];
}

export function readFieldList(source: string): readonly ListedField[] {
  let [kind, apiVersion] = ['', ''];
  return read(`${source}.txt`)
    .split('\n')
    .flatMap((line): ListedField[] => {
      if (line === '' || line.startsWith('#')) return [];
      if (!line.startsWith(' ')) {
        [kind = '', apiVersion = ''] = line.split(' ');
        return [];
      }
      const [, path = '', outcome = '', rest = ''] = /^ +(\S+) +(\S+) +(.+)$/.exec(line) ?? [];
      const [value = '', ...changes] = rest.split(/ +(?=with(?:out)? spec\.)/);
      const settings = changes.flatMap((change) => {
        const [, at = '', json = ''] = /^with (\S+) (.+)$/.exec(change) ?? [];
        return at === '' ? [] : [{ path: at, value: JSON.parse(json) as unknown }];
      });
      const removed = changes.flatMap((change) => /^without (\S+)$/.exec(change)?.[1] ?? []);
      return [
        {
          kind,
          apiVersion,
          path,
          outcome: outcome.replace('-', ' '),
          value: JSON.parse(value) as unknown,
          with: settings,
          without: removed,
        },
      ];
    });
}

/** The objects into which the fields of a list are written. */
export function baseObjects(source: string): SourceObject[] {
  const objects = readObjects(`${source}.yaml`, read(`${source}.yaml`));
  if (!objects.ok) throw new Error(JSON.stringify(objects.error));
  return objects.value;
}

/** Writes a field into the object that the list names. */
export function writeField(objects: readonly SourceObject[], field: ListedField): SourceObject {
  const object = objects.find(
    ({ kind, apiVersion }) => kind === field.kind && apiVersion === field.apiVersion,
  );
  if (!object) throw new Error(`${field.kind} ${field.apiVersion} is missing`);
  for (const path of field.without) setAt(object.body, path, undefined);
  for (const { path, value } of field.with) setAt(object.body, path, value);
  setAt(object.body, field.path, field.value);
  return object;
}

type Container = Record<string | number, unknown>;

/** Sets the value at a path like `spec.blocks[0].cidr`, and makes the mappings and lists on the way. */
function setAt(root: unknown, path: string, value: unknown): void {
  const parts = path.split(/\.|(?=\[)/).map((part) => {
    const [, index] = /^\[(\d+)\]$/.exec(part) ?? [];
    return index === undefined ? part : Number(index);
  });
  let holder = root as Container;
  for (const [i, part] of parts.entries()) {
    const next = parts[i + 1];
    if (next === undefined) {
      if (value === undefined) delete holder[part];
      else holder[part] = value;
      return;
    }
    holder[part] ??= typeof next === 'number' ? [] : {};
    holder = holder[part] as Container;
  }
}

function read(file: string): string {
  return readFileSync(new URL(`./fields/${file}`, import.meta.url), 'utf8');
}
