import type { Sweep } from './sweep.ts';

type Bounds = Readonly<Record<Sweep['kind'], number>>;

/** The greatest exponents that pass. The exponent `e` of a sweep says that its cost grows like `size ** e`. */
export const bounds: Bounds = { event: 0.1, whole: 1.05 };

/**
 * The greatest exponents that pass in the quick run, which measures small sizes on machines that do other work. If the cost of an event is O(n), its
 * exponent is near 1, and it still fails. If the cost of work about everything is O(n²), its exponent is near 2, and it fails too.
 */
export const quickBounds: Bounds = { event: 0.5, whole: 1.4 };
