import { fileURLToPath } from 'node:url';

/** The program that labs and tests run: from source, unless BELLMAN_PROGRAM names another one, such as the result of `make build`. */
export const bellman =
  process.env.BELLMAN_PROGRAM ?? fileURLToPath(new URL('../bin/bellman', import.meta.url));
