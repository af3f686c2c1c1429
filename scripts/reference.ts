/** Writes the reference pages that are made from the code. Run it from the repository's root: `make docs`. */
import { writeFileSync } from 'node:fs';
import { referencePages } from './reference/pages.ts';

for (const [path, text] of referencePages()) writeFileSync(path, text);
