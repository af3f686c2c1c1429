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
    // The first error says more than one that follows from it.
    await started.close().catch(() => {});
    throw error;
  }
}
