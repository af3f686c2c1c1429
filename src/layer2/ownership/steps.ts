/**
 * Work in small steps. A decision about thousands of addresses takes longer than neighbours should wait for an answer, so it
 * yields after each address and its caller may answer them in between. The state of the machine is consistent at each yield, but
 * the caller must not hand it another event before the steps are complete.
 */
export type Steps<Result> = Generator<undefined, Result, undefined>;

/** Runs the steps to their end and returns the result. */
export function complete<Result>(steps: Steps<Result>, between: () => void = () => {}): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    between();
  }
}
