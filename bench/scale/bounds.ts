import type { Sweep } from './sweep.ts';

type Bounds = Readonly<Record<Sweep['kind'], number>>;

/** The greatest exponents that pass. The exponent `e` of a sweep says that its cost grows like `size ** e`. */
export const bounds: Bounds = { event: 0.1, whole: 1.05 };

/**
 * The greatest exponents of the quick run, which measures small sizes on machines that do other work. An event that costs O(n) has an exponent
 * near 1 and still fails. So does work about everything that costs O(n²), with an exponent near 2.
 */
export const quickBounds: Bounds = { event: 0.5, whole: 1.4 };
