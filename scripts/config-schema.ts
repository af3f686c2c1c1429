/** Writes config/schema.json from the schema that the parser uses. Run it from the repository's root: `make schema`. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { configJsonSchema } from '../src/config/index.ts';

const file = 'config/schema.json';
writeFileSync(file, JSON.stringify(configJsonSchema(), null, 2));
execFileSync('node_modules/.bin/biome', ['format', '--write', file]);
