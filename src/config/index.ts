export * from './accepted.ts';
export * from './config.ts';
export * from './gate.ts';
export { type ConfigError, formatConfigError, parseConfig } from './parse.ts';
export { configSchema } from './schema.ts';
export * from './selector.ts';
