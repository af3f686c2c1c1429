import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const rivalsFolder = join(root, '.cache/rivals');
export const metalLbPrograms = {
  speaker: join(rivalsFolder, 'speaker'),
  controller: join(rivalsFolder, 'controller'),
};
/** The program as it is shipped. The lab reads the same variable. */
export const bellmanProgram = process.env.BELLMAN_PROGRAM ?? join(root, 'dist/bellman');
export const bellmanNode = join(dirname(bellmanProgram), 'bin/node');
