/**
 * YAML nodes to plain data by the schema's types. Existing files were read by a YAML 1.1 parser into typed fields: `auto-assign: no` is
 * false there, `password: 0123` the text as written, and a key without a value as if it were not there. Here they mean the same.
 */
import type { z } from 'zod';
import { childSchema, scalarTypes } from './schema-walk.ts';
import type { YamlNode, YamlScalar } from './yaml.ts';

const yesWord = /^(?:y|yes|on|true)$/i;
const noWord = /^(?:n|no|off|false)$/i;

export function typedValue(node: YamlNode, schema: z.core.$ZodType | undefined): unknown {
  switch (node.kind) {
    case 'scalar':
      return schema ? typedScalar(node, schema) : node.value;
    case 'sequence':
      return node.items.map((item, i) => typedValue(item, childSchema(schema, i)));
    case 'mapping': {
      // `__proto__` has been refused as a key, so plain assignment only ever makes own properties.
      const plain: Record<string, unknown> = {};
      for (const [key, { value }] of node.entries)
        if (value.kind !== 'scalar' || value.value !== null)
          plain[key] = typedValue(value, childSchema(schema, key));
      return plain;
    }
  }
}

function typedScalar({ text, value, isPlain }: YamlScalar, schema: z.core.$ZodType): unknown {
  if (!isPlain || value === null) return value;
  const types = scalarTypes(schema);
  if (types.boolean && yesWord.test(text)) return true;
  if (types.boolean && noWord.test(text)) return false;
  // Octal for one parser, decimal for another: as text it is refused.
  if (types.number) return /^[-+]?0\d/.test(text) ? text : value;
  return types.text ? text : value;
}
