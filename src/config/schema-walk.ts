/** Questions to the schema that the parser asks: which keys are known at a place, and what a scalar there may be. */
import { z } from 'zod';
import { configSchema } from './schema.ts';

/** The schema without what wraps it. */
function bare(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  return schema instanceof z.ZodOptional ? bare(schema.unwrap()) : schema;
}

/** The schema of a child by key or position. */
export function childSchema(
  parent: z.core.$ZodType | undefined,
  part: string | number,
): z.core.$ZodType | undefined {
  const schema = bare(parent);
  if (schema instanceof z.ZodUnion)
    return childSchema(
      schema.options.find((option) => option instanceof z.ZodObject),
      part,
    );
  if (schema instanceof z.ZodArray) return schema.element;
  if (schema instanceof z.ZodRecord) return schema.valueType;
  if (schema instanceof z.ZodObject && Object.hasOwn(schema.shape, part))
    return (schema.shape as Record<string | number, z.core.$ZodType>)[part];
  return undefined;
}

/** The schema at a path of the configuration. */
export function schemaAt(path: readonly (string | number)[]): z.core.$ZodType | undefined {
  let schema: z.core.$ZodType | undefined = configSchema;
  for (const part of path) schema = childSchema(schema, part);
  return schema;
}

/** The keys that an object's schema knows; none for other schemas. */
export function keysOf(of: z.core.$ZodType | undefined): readonly string[] {
  const schema = bare(of);
  if (schema instanceof z.ZodUnion)
    return schema.options.flatMap((option: z.core.$ZodType) => keysOf(option));
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/** What a scalar at this place may be. */
export interface ScalarTypes {
  readonly text: boolean;
  readonly number: boolean;
  readonly boolean: boolean;
}

const known = new WeakMap<z.core.$ZodType, ScalarTypes>();

export function scalarTypes(of: z.core.$ZodType): ScalarTypes {
  const schema = bare(of) ?? of;
  let types = known.get(schema);
  if (!types) {
    const options = schema instanceof z.ZodUnion ? schema.options.map((option) => bare(option)) : [schema];
    types = {
      text: options.some((option) => option instanceof z.ZodString || option instanceof z.ZodEnum),
      number: options.some((option) => option instanceof z.ZodNumber),
      boolean: options.some((option) => option instanceof z.ZodBoolean),
    };
    known.set(schema, types);
  }
  return types;
}

/** Where in the configuration a key has a meaning, as the name of what holds it: for keys written in the wrong place. */
export const homesOfKeys: ReadonlyMap<string, readonly string[]> = (() => {
  const homes = new Map<string, string[]>();
  const visit = (of: z.core.$ZodType | undefined, home: string) => {
    const schema = bare(of);
    if (schema instanceof z.ZodArray) visit(schema.element, home);
    for (const name of keysOf(schema)) {
      const list = homes.get(name) ?? [];
      if (!list.includes(home)) list.push(home);
      homes.set(name, list);
      visit(childSchema(schema, name), name);
    }
  };
  visit(configSchema, 'the top level');
  return homes;
})();
