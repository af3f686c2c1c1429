import type { Sweep } from './sweep.ts';

type Bounds = Readonly<Record<Sweep['kind'], number>>;

/** The greatest exponents that pass. The exponent `e` of a sweep says that its cost grows like `size ** e`. */
export const bounds: Bounds = { event: 0.1, whole: 1.05 };

/**
 * The greatest exponents that pass in the quick run, which measures small sizes on machines that do other work. The quick run still fails when an
 * event costs O(n), which gives an exponent near 1, or when work about everything costs O(n²), which gives an exponent near 2.
 */
export const quickBounds: Bounds = { event: 0.5, whole: 1.4 };
