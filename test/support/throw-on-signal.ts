/**
 * Gives a process a bug on demand: the process throws, outside of any guard, when it receives SIGUSR2. Load this file with
 * `NODE_OPTIONS=--import=…`. The product's code has no such hook.
 */
process.on('SIGUSR2', () => {
  throw new Error('a bug on demand');
});
