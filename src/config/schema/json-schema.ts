import * as z from 'zod';
import { configSchema } from './schema.ts';

/** The shape of the configuration as JSON Schema, for `config/schema.json`. It is in draft 7, which the YAML servers of editors support. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, { target: 'draft-7', io: 'input' });
}
