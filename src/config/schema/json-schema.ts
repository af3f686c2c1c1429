import * as z from 'zod';
import { configSchema } from './schema.ts';

/** The shape of the configuration as JSON Schema, for `config/schema.json`. The YAML servers of editors support draft 7. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, { target: 'draft-7', io: 'input' });
}
