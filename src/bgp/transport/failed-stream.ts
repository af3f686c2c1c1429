import type { Stream, StreamHandler } from './transport.ts';

/**
 * A connection that could not be made. It reports the reason in a later turn of the event loop, when its owner already holds the stream.
 */
export class FailedStream implements Stream {
  readonly localAddress = undefined;
  readonly queuedBytes = 0;
  #isOpen = true;

  constructor(reason: string, handler: StreamHandler) {
    setImmediate(() => {
      if (this.#isOpen) handler.onClosed(reason);
    });
  }

  acknowledgedBytes(): number {
    return 0;
  }

  write(): void {}

  apply(): void {}

  end(): Promise<void> {
    this.#isOpen = false;
    return Promise.resolve();
  }

  freeze(): undefined {}

  thaw(): void {}

  destroy(): void {
    this.#isOpen = false;
  }
}
