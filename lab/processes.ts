import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A place where processes run, such as a network namespace. */
export interface Host {
  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess;
}

/** The host that this process itself runs on. */
export const ownHost: Host = { spawn };

/** The processes of a lab by name. Each runs on a host, in its own process group, and writes to `FOLDER/NAME.log`. */
export class Processes {
  readonly #folder: string;
  readonly #running = new Map<string, ChildProcess>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts a process with the environment of the caller and the variables of `environment`. Returns its process id. */
  start(
    name: string,
    host: Host,
    command: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): number {
    if (this.isRunning(name)) throw new Error(`the lab already runs ${name}`);
    const log = openSync(join(this.#folder, `${name}.log`), 'a');
    try {
      // A process group of its own lets `stop` kill a speaker and its child together, as the death of a node does.
      const child = host.spawn(command, args, {
        stdio: ['ignore', log, log],
        detached: true,
        env: { ...process.env, ...environment },
      });
      if (child.pid === undefined) throw new Error(`${name} cannot be started: is ${command} installed?`);
      this.#running.set(name, child);
      return child.pid;
    } finally {
      // The process has its own descriptor.
      closeSync(log);
    }
  }

  /**
   * Gives a running process another name, so that a second process can start under the old name. Both processes then write to the log of the old
   * name.
   */
  rename(name: string, to: string): void {
    const child = this.#running.get(name);
    if (!child) throw new Error(`the lab runs no process ${name}`);
    if (this.isRunning(to)) throw new Error(`the lab already runs ${to}`);
    this.#running.delete(name);
    this.#running.set(to, child);
  }

  isRunning(name: string): boolean {
    const child = this.#running.get(name);
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Sends a signal to a process, and to none of its children. */
  signal(name: string, signal: NodeJS.Signals): void {
    this.#running.get(name)?.kill(signal);
  }

  /** The exit code of a process that has ended by itself. */
  exitCode(name: string): number | null | undefined {
    return this.#running.get(name)?.exitCode;
  }

  /** Everything that a process has logged, across restarts. */
  log(name: string): string {
    return readFileSync(join(this.#folder, `${name}.log`), 'utf8');
  }

  /** The last lines of all logs, for the message of a failure. */
  lastLines(count: number): string {
    return readdirSync(this.#folder)
      .filter((file) => file.endsWith('.log'))
      .map((file) => {
        const lines = readFileSync(join(this.#folder, file), 'utf8').trimEnd().split('\n');
        return `── ${file}\n${lines.slice(-count).join('\n')}`;
      })
      .join('\n');
  }

  /** Ends a process and waits for its exit. SIGKILL ends its children too, even if the process itself has already ended. */
  async stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#running.get(name);
    if (child?.pid === undefined) throw new Error(`the lab runs no process ${name}`);
    this.#running.delete(name);
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    if (hasEnded && signal !== 'SIGKILL') return;
    const gone = hasEnded ? undefined : new Promise((resolve) => child.once('exit', resolve));
    try {
      // SIGTERM goes only to the process, as a kubelet sends it. SIGKILL goes to the whole group.
      process.kill(signal === 'SIGKILL' ? -child.pid : child.pid, signal);
    } catch (error) {
      // The group of a process that has ended is gone, unless the process left children.
      if (!hasEnded) throw error;
    }
    await gone;
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.stop(name, 'SIGKILL')));
  }
}
