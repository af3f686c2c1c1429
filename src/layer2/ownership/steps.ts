/**
 * Work in small steps. A decision about thousands of addresses takes longer than neighbours should wait for an answer. It therefore
 * yields after each address, so that its caller can answer neighbours in between. The state of the machine is consistent at each
 * yield, but the caller must complete these steps before it begins the steps of another event.
 */
export type Steps<Result> = Generator<undefined, Result, undefined>;

/** Runs the steps to their end and returns the result. Calls `between` after each step. */
export function complete<Result>(steps: Steps<Result>, between: () => void = () => {}): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    between();
  }
}
