import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const rivalsFolder = join(root, '.cache/rivals');
export const metalLbVersion = 'v0.12.1';
/** The program as `make build` writes it, or the one that BELLMAN_PROGRAM names. The lab reads this variable too. */
export const bellmanProgram = process.env.BELLMAN_PROGRAM ?? join(root, 'dist/bellman');
export const bellmanNode = join(dirname(bellmanProgram), 'bin/node');
/** The program that measures MetalLB's allocator alone. `main.ts` builds it. */
export const metalLbAllocator = join(rivalsFolder, 'metallb-allocator');
