/** The router's view: BIRD's control socket, and the kernel's routing table that BIRD fills. */
import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import type { LabNode } from '../../lab/fabric.ts';
import { birdSocketPath } from '../../lab/lab.ts';
import type { NetworkNamespace } from '../../lab/netns.ts';
import { type BgpProtocol, parseBgpProtocol } from './parse.ts';

const deadlineMs = 120_000;

/** One connection to BIRD's control socket. A request costs far less than a run of `birdc`. */
export class BirdControl {
  readonly #socket: Socket;
  #text = '';
  #answered: ((lines: string[]) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      this.#text += chunk;
      this.#read();
    });
  }

  static async open(): Promise<BirdControl> {
    const control = new BirdControl(connect(birdSocketPath));
    await control.#answer();
    return control;
  }

  /** Sends a command and resolves to the lines of the answer, without their codes. Only one command may run at a time. */
  ask(command: string): Promise<string[]> {
    this.#socket.write(`${command}\n`);
    return this.#answer();
  }

  async protocol(node: LabNode): Promise<BgpProtocol> {
    return parseBgpProtocol(await this.ask(`show protocols all ${protocolOf(node)}`));
  }

  async restart(node: LabNode): Promise<void> {
    await this.ask(`restart ${protocolOf(node)}`);
  }

  close(): void {
    this.#socket.destroy();
  }

  #answer(): Promise<string[]> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#read();
    });
  }

  /**
   * Takes one complete answer from the buffer, if there is one. The last line of an answer begins with a code and a space; earlier lines begin
   * with a code and a hyphen, or with a space if their code is that of the line before.
   */
  #read(): void {
    const end = /^\d{4} .*\n/m.exec(this.#text);
    if (!end || !this.#answered) return;
    const until = end.index + end[0].length;
    const lines = this.#text.slice(0, until).trimEnd().split('\n');
    this.#text = this.#text.slice(until);
    const resolve = this.#answered;
    this.#answered = undefined;
    resolve(lines.map((line) => line.replace(/^\d{4}[- ]|^ /, '')));
  }
}

function protocolOf({ name }: LabNode): string {
  return name.replaceAll('-', '_');
}

/** Follows the routing table of the router, and says when BIRD adds or removes a host route. */
export class RouteWatch {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, (atMs: number) => void>();
  #rest = '';

  constructor(router: NetworkNamespace) {
    this.#child = spawn('ip', ['-4', '-n', router.name, 'monitor', 'route'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      const atMs = performance.now();
      const lines = (this.#rest + chunk).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) {
        const [, deleted, destination] = /^(Deleted )?([\d.]+) .*proto bird/.exec(line) ?? [];
        if (destination === undefined) continue;
        for (const which of [destination, 'any']) {
          const key = `${deleted ? 'removed' : 'added'} ${which}`;
          this.#waiting.get(key)?.(atMs);
          this.#waiting.delete(key);
        }
      }
    });
  }

  /**
   * Resolves to the time (`performance.now`) at which BIRD next adds or removes the host route of `address`. With `any`, the first such change
   * of any host route counts. Only one caller may wait for the same change of the same address. Rejects after the deadline.
   */
  next(change: 'added' | 'removed', address: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`route of ${address} not ${change} after ${deadlineMs} ms`)),
        deadlineMs,
      );
      this.#waiting.set(`${change} ${address}`, (atMs) => {
        clearTimeout(timer);
        resolve(atMs);
      });
    });
  }

  close(): void {
    this.#child.kill();
  }
}
