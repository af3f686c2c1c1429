/** Returns uniform numbers in [0, 1). Machines and shells take a random source as a parameter, and the processes pass this one. */
export const systemRandom: () => number = Math.random;
