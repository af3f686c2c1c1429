/** Uniform from 0 to below 1. Machines and shells take it as a parameter; this is the one that processes hand in. */
export const systemRandom: () => number = Math.random;
