/** The lines of a watch, fed by a test. */
export class LineStream implements AsyncIterable<string> {
  readonly #lines: string[] = [];
  readonly #signal: AbortSignal;
  #end: { readonly error?: Error } | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.end(), { once: true });
  }

  /** Sends a value as one line of JSON. */
  send(event: unknown): void {
    this.sendLine(JSON.stringify(event));
  }

  sendLine(line: string): void {
    this.#lines.push(line);
    this.#wake.resolve();
  }

  /** Ends the stream after the lines sent so far. Without `error`, it ends as when the server closes it. */
  end(error?: Error): void {
    this.#end ??= error ? { error } : {};
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    for (;;) {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
        if (this.#signal.aborted) return;
        yield line;
      }
      if (this.#end?.error) throw this.#end.error;
      if (this.#end) return;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
    }
  }
}
