import { patienceMs } from '../test/support/eventually.ts';

/**
 * A guided tour on a terminal: numbered steps, the commands that a person would type, their output, and checks. The exit code is 0 only
 * if every check held.
 */
export class Tour {
  readonly #write: (text: string) => void;
  readonly #failures: string[] = [];
  readonly #started = performance.now();
  #steps = 0;
  #checks = 0;

  constructor(write: (text: string) => void = (text) => void process.stdout.write(text)) {
    this.#write = write;
  }

  step(title: string): void {
    this.#steps++;
    this.#write(`\n\x1b[1m${this.#steps}. ${title}\x1b[0m\n`);
  }

  /** Shows a command on a host and its output. */
  show(host: string, command: string, output: string): void {
    const lines = output.trimEnd().split('\n');
    this.#write(`   \x1b[2m${host}$\x1b[0m ${command}\n${lines.map((line) => `     ${line}\n`).join('')}`);
  }

  /**
   * Waits until the probe holds or the deadline has passed, and shows the command with its last output in both cases. Returns that
   * output. When `run` fails, its error is shown as the output, and the probe does not hold. `holds` is not called then: in a check that something
   * is absent, it would accept the text of an error.
   */
  async check(
    what: string,
    host: string,
    command: string,
    probe: { readonly run: () => Promise<string>; readonly holds: (output: string) => boolean },
  ): Promise<string> {
    const end = performance.now() + patienceMs;
    for (;;) {
      const { output, held } = await probe.run().then(
        (output) => ({ output, held: probe.holds(output) }),
        (error: unknown) => ({ output: String(error), held: false }),
      );
      if (held || performance.now() > end) {
        this.show(host, command, output);
        this.verdict(what, held);
        return output;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  verdict(what: string, held: boolean): void {
    this.#checks++;
    if (!held) this.#failures.push(`step ${this.#steps}: ${what}`);
    this.#write(held ? `   \x1b[32m✔\x1b[0m ${what}\n` : `   \x1b[31m✖ ${what}\x1b[0m\n`);
  }

  /** Prints the summary and returns the exit code. */
  finish(): 0 | 1 {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(0);
    this.#write(`\n${this.#checks - this.#failures.length} of ${this.#checks} checks held, ${seconds} s.\n`);
    for (const failure of this.#failures) this.#write(`  failed: ${failure}\n`);
    return this.#failures.length === 0 && this.#checks > 0 ? 0 : 1;
  }
}
