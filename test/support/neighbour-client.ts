import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { NetworkNamespace } from '../../lab/netns.ts';
import { closeOnFailure } from './close-on-failure.ts';
import { eventually } from './eventually.ts';

type Command =
  | { readonly do: 'add'; readonly addresses: readonly string[]; readonly interfaces?: readonly string[] }
  | { readonly do: 'remove'; readonly addresses: readonly string[] }
  | { readonly do: 'probe'; readonly address: string }
  | { readonly do: 'carriers'; readonly address: string; readonly interfaces?: readonly string[] }
  | { readonly do: 'kernel-answers'; readonly address: string }
  | { readonly do: 'metrics' }
  | { readonly do: 'close' };

export type HostCommand = Command & { readonly id: number };

export type HostEvent =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'links'; readonly links: readonly string[] }
  | {
      readonly kind: 'conflict';
      readonly mac: string;
      readonly interface: string;
      readonly action: string;
      readonly isSpeaker: boolean;
    };

/** A responder in a namespace, controlled through its standard input (see neighbour-host.ts). */
export class NeighbourHost {
  readonly events: HostEvent[] = [];
  /** Log output of the responder. */
  log = '';
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #id = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    if (!child.stdout) throw new Error('the responder has no standard output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = JSON.parse(line) as HostEvent;
      this.events.push(event);
      if (event.kind !== 'answer') return;
      this.#waiting.get(event.id)?.resolve(event.value);
      this.#waiting.delete(event.id);
    });
    child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(this.#ended());
      this.#waiting.clear();
    });
  }

  /** Starts the responder. Resolves once it watches the links. */
  static async start(
    namespace: NetworkNamespace,
    settings: { readonly defence?: 'defend' | 'yield'; readonly speakers?: readonly string[] } = {},
  ): Promise<NeighbourHost> {
    const program = fileURLToPath(new URL('./neighbour-host.ts', import.meta.url));
    const child = namespace.spawn(process.execPath, [program, JSON.stringify(settings)]);
    const host = new NeighbourHost(child);
    const close = () => Promise.resolve(child.kill('SIGKILL'));
    await closeOnFailure({ close }, async () => {
      await eventually('the responder starts', () => child.exitCode !== null || host.events.length > 0);
      if (child.exitCode !== null) throw new Error(host.log);
    });
    return host;
  }

  /** Sends a command and waits for its answer. */
  async ask(command: Command): Promise<unknown> {
    if (this.#hasEnded()) throw this.#ended();
    const id = ++this.#id;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#child.stdin?.write(`${JSON.stringify({ ...command, id })}\n`);
    return answer.promise;
  }

  /** The value of the metric that `line` names, e.g. `name{ip="192.0.2.1"}`; 0 when the metric is absent. */
  async metric(line: string): Promise<number> {
    const text = String(await this.ask({ do: 'metrics' }));
    const found = text.split('\n').find((candidate) => candidate.startsWith(`${line} `));
    return found === undefined ? 0 : Number(found.slice(line.length + 1));
  }

  /** Closes the responder, and ends its process by closing its input. Resolves to the exit code. */
  async stop(): Promise<number | null> {
    if (this.#hasEnded()) return this.#child.exitCode;
    await this.ask({ do: 'close' });
    const exited = new Promise<number | null>((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    return exited;
  }

  #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #ended(): Error {
    return new Error(`the responder has ended: ${this.log}`);
  }
}
