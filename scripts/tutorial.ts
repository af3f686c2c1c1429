/**
 * Writes the outputs of the tutorial's commands into `docs/tutorial.md`:
 *   lab/world .cache/bin/node scripts/tutorial.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { runTutorial } from '../lab/tutorial.ts';

const page = new URL('../docs/tutorial.md', import.meta.url);
writeFileSync(page, await runTutorial(readFileSync(page, 'utf8')));
