import { z } from 'zod';
import { configSchema } from './schema.ts';

/** The configuration's shape as JSON Schema (draft 7, which editors' YAML servers know), as `config/schema.json` holds it. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, { target: 'draft-7', io: 'input' });
}
