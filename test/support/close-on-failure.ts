/**
 * Prepares something that has been started, such as a lab. If the preparation fails, closes what was started and then throws the error. A process
 * that still ran would keep the test from ending.
 */
export async function closeOnFailure<T>(
  started: { close(): Promise<unknown> },
  prepare: () => Promise<T>,
): Promise<T> {
  try {
    return await prepare();
  } catch (error) {
    // An error of `close` is dropped, because it may be a consequence of the first error.
    await started.close().catch(() => {});
    throw error;
  }
}
