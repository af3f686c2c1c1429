/** The parent process, from the side of its child. `child-process.ts` is the other side. */

/** Sends a message to the parent, unless it is gone. */
export function sendToParent(message: object): void {
  if (process.connected) process.send?.(message);
}

/**
 * Handles the messages of the parent one after another. A rejection of `handle` is a bug, and stays unhandled so that it ends the process.
 * The process also ends once a message of the same kind as `stopMessage` has been handled. The end of the parent, for any reason, counts as
 * such a message.
 */
export function serveParent<ToChild extends { readonly kind: string }>(
  handle: (message: ToChild) => void | Promise<void>,
  stopMessage: ToChild,
): void {
  let handled: Promise<void> = Promise.resolve();
  const take = (message: ToChild) => {
    handled = handled.then(() => handle(message));
    if (message.kind === stopMessage.kind) void handled.then(() => process.exit(0));
  };
  process.on('message', (message) => take(message as ToChild));
  process.on('disconnect', () => take(stopMessage));
  // A terminal or a supervisor may send these signals to all processes. They are ignored here, because the parent decides when to stop.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
}
