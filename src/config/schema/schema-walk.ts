/** Queries on the schema: the kind of a value, the keys of an object, and the noun for a message. */
import * as z from 'zod';
import { configSchema } from './schema.ts';

export type Schema = z.core.$ZodType;

/** The schema without its optional wrapper. */
export function bare(schema: Schema): Schema {
  return schema instanceof z.ZodOptional ? bare(schema.unwrap()) : schema;
}

/** The schema itself when it is an object, or else the object among the alternatives of a union. */
export function objectOf(of: Schema): z.ZodObject | undefined {
  const schema = bare(of);
  if (schema instanceof z.ZodObject) return schema;
  return schema instanceof z.ZodUnion
    ? schema.options.find((option) => option instanceof z.ZodObject)
    : undefined;
}

/** The schema itself when it is a list, or else the list among the alternatives of a union. */
export function listOf(of: Schema): z.ZodArray | undefined {
  const schema = bare(of);
  if (schema instanceof z.ZodArray) return schema;
  return schema instanceof z.ZodUnion
    ? schema.options.find((option) => option instanceof z.ZodArray)
    : undefined;
}

/** The known keys of an object, in the order of the schema. */
export function keysOf(schema: z.ZodObject): readonly string[] {
  return Object.keys(schema.shape);
}

/** The noun for the expected value. The schema has it as its message about a missing value. */
export function nounOf(of: Schema): string {
  const schema = bare(of);
  let noun = nouns.get(schema);
  if (noun === undefined) {
    noun = z.safeParse(schema, undefined).error?.issues[0]?.message ?? 'another value';
    nouns.set(schema, noun);
  }
  return noun;
}

const nouns = new WeakMap<Schema, string>();

/** The scalar types that a schema accepts. */
interface ScalarTypes {
  readonly text: boolean;
  readonly number: boolean;
  readonly boolean: boolean;
  /** The words of an enumeration. */
  readonly words: readonly string[];
}

export function scalarTypes(of: Schema): ScalarTypes {
  const schema = bare(of);
  let found = types.get(schema);
  if (!found) {
    const options: readonly Schema[] = schema instanceof z.ZodUnion ? schema.options : [schema];
    found = {
      text: options.some((option) => option instanceof z.ZodString || option instanceof z.ZodEnum),
      number: options.some((option) => option instanceof z.ZodNumber),
      boolean: options.some((option) => option instanceof z.ZodBoolean),
      words: options.flatMap((option) => (option instanceof z.ZodEnum ? option.options.map(String) : [])),
    };
    types.set(schema, found);
  }
  return found;
}

const types = new WeakMap<Schema, ScalarTypes>();

/** For each key, the names of the objects that may hold it. A message about a key in the wrong place names these objects. */
export const homesOfKeys: ReadonlyMap<string, readonly string[]> = (() => {
  const homes = new Map<string, string[]>();
  const visit = (of: Schema, home: string) => {
    const schema = bare(of);
    if (schema instanceof z.ZodArray) visit(schema.element, home);
    for (const [key, value] of Object.entries(objectOf(schema)?.shape ?? {})) {
      const list = homes.get(key) ?? [];
      if (!list.includes(home)) list.push(home);
      homes.set(key, list);
      visit(value, key);
    }
  };
  visit(configSchema, 'the top level');
  return homes;
})();
