/** Questions to the schema that the parser asks: what a thing is, which keys it knows, how it is called. */
import { z } from 'zod';
import { configSchema } from './schema.ts';

export type Schema = z.core.$ZodType;

/** The schema without what makes it optional. */
export function bare(schema: Schema): Schema {
  return schema instanceof z.ZodOptional ? bare(schema.unwrap()) : schema;
}

/** The object that a schema is, or has among its alternatives. */
export function objectOf(of: Schema): z.ZodObject | undefined {
  const schema = bare(of);
  if (schema instanceof z.ZodObject) return schema;
  return schema instanceof z.ZodUnion
    ? schema.options.find((option) => option instanceof z.ZodObject)
    : undefined;
}

/** The keys that an object's schema knows, in its order. */
export function keysOf(schema: z.ZodObject): readonly string[] {
  return Object.keys(schema.shape);
}

/** What is expected where a schema stands, as the schema says it of a value that can be nothing. */
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

/** What a scalar may be where a schema stands. */
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

/** Where in the configuration a key has a meaning, as the name of what holds it: for keys written in the wrong place. */
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
