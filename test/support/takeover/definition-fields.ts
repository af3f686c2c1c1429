/** The fields that the custom resource definitions of MetalLB name. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

/** Each kind with its group and version, and the paths of its fields below `spec`, such as `spec.communities.name`. */
export function definedFields(folder: string): ReadonlyMap<string, readonly string[]> {
  const definitions = readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => load(readFileSync(join(folder, name), 'utf8')) as Definition);
  return new Map(
    definitions.flatMap(({ spec: { group, names, versions } }) =>
      versions.map(
        ({ name, schema }) =>
          [
            `${names.kind} ${group}/${name}`,
            pathsOf(schema.openAPIV3Schema.properties?.spec ?? {}, 'spec'),
          ] as const,
      ),
    ),
  );
}

function pathsOf(schema: Schema, path: string): string[] {
  const { properties } = schema.items ?? schema;
  // A label selector counts as one field: the fields inside it are not listed.
  if (!properties || 'matchLabels' in properties) return path === 'spec' ? [] : [path];
  return Object.entries(properties).flatMap(([name, child]) => pathsOf(child, `${path}.${name}`));
}
