/**
 * Gives a process a bug on demand: it throws, outside of any guard, when it receives SIGUSR2. Load it with `NODE_OPTIONS=--import=…`;
 * the product's code has no such hook.
 */
process.on('SIGUSR2', () => {
  throw new Error('a bug on demand');
});
