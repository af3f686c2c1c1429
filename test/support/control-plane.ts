import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ApiServer, Knob } from '../../lab/api-server.ts';
import { kubeconfigText } from '../../lab/apiserver/kubeconfig.ts';
import { labClient } from '../../lab/client.ts';
import { ownHost, Processes } from '../../lab/processes.ts';
import { bellman } from '../../lab/program.ts';
import { isKubernetes, startApiServer } from '../../lab/start-api-server.ts';
import type { KubernetesClient } from '../../src/kubernetes/client.ts';
import { eventually } from './eventually.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [key: string]: unknown;
}

/** A process of Bellman, with its JSON log lines. */
export class Daemon {
  readonly lines: LogLine[] = [];
  readonly exited: Promise<number | NodeJS.Signals | null>;
  readonly #child: ChildProcess;
  #errors = '';

  constructor(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const child = spawn(bellman, args, {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines)
        this.lines.push(line.startsWith('{') ? JSON.parse(line) : { level: '', msg: line });
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.#errors += chunk;
    });
    this.exited = new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)));
  }

  get errors(): string {
    return this.#errors;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resident memory now and at its peak, in MiB. */
  async memory(): Promise<{ readonly now: number; readonly peak: number }> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, 'utf8');
    const of = (name: string) =>
      Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
    return { now: of('VmRSS'), peak: of('VmHWM') };
  }

  get messages(): string[] {
    return this.lines.map(({ msg }) => msg);
  }

  logged(msg: string): Promise<LogLine> {
    return eventually(`the log line "${msg}"`, () => this.lines.find((line) => line.msg === msg));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends the process with SIGTERM, as Kubernetes does. Resolves to its exit code, or to the signal that killed it. */
  stop(): Promise<number | NodeJS.Signals | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM');
    return this.exited;
  }

  async fetch(path: string): Promise<string> {
    const { metricsPort } = await this.logged('controller started');
    const response = await fetch(`http://127.0.0.1:${String(metricsPort)}${path}`);
    return response.text();
  }

  async status(): Promise<ControllerStatus> {
    return JSON.parse(await this.fetch('/status')) as ControllerStatus;
  }

  async metric(line: string): Promise<number | undefined> {
    const found = (await this.fetch('/metrics')).split('\n').find((each) => each.startsWith(`${line} `));
    return found === undefined ? undefined : Number(found.slice(line.length + 1));
  }
}

export interface ControllerStatus {
  readonly leading: boolean;
  readonly config?: { readonly status: string; readonly error?: string };
  readonly waitingFor?: readonly string[];
}

/**
 * An API server, a client of it, and controllers. The API server is the lab's embedded one or Kubernetes itself (see `lab/start-api-server.ts`).
 * `stop` ends them all.
 */
export class ControlPlane {
  readonly folder: string;
  readonly client: KubernetesClient;
  readonly #server: ApiServer;
  readonly #processes: Processes;
  readonly #controllerKubeconfig: string;
  readonly #daemons: Daemon[] = [];

  private constructor(
    folder: string,
    processes: Processes,
    server: ApiServer,
    client: KubernetesClient,
    controllerKubeconfig: string,
  ) {
    this.folder = folder;
    this.#processes = processes;
    this.#server = server;
    this.client = client;
    this.#controllerKubeconfig = controllerKubeconfig;
  }

  /** The flags are for the embedded API server. Kubernetes gets none of them. */
  static async start(...embeddedFlags: string[]): Promise<ControlPlane> {
    const folder = await mkdtemp(join(tmpdir(), 'bellman-test-'));
    const processes = new Processes(folder);
    try {
      const address = '127.0.0.1';
      const server = await startApiServer({ processes, host: ownHost, address, folder, embeddedFlags });
      const client = labClient(server.kubeconfig, 'test');
      let { kubeconfig } = server;
      if (isKubernetes) {
        kubeconfig = join(folder, 'controller.kubeconfig');
        const { url, certificate } = server;
        await writeFile(
          kubeconfig,
          kubeconfigText({ url, certificate, token: await server.token('controller') }),
        );
      } else {
        const body = { metadata: { name: 'bellman-system' } };
        await client.request({ method: 'POST', path: '/api/v1/namespaces', body });
      }
      return new ControlPlane(folder, processes, server, client, kubeconfig);
    } catch (error) {
      await processes.stopAll();
      throw error;
    }
  }

  /** Path of the kubeconfig of a user who may do everything. */
  get kubeconfig(): string {
    return this.#server.kubeconfig;
  }

  get url(): string {
    return this.#server.url;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#daemons.map((daemon) => daemon.stop()));
    this.client.close();
    await this.#processes.stopAll();
    await rm(this.folder, { recursive: true });
  }

  controller(...flags: string[]): Daemon {
    return this.controllerWith({}, ...flags);
  }

  /** Starts a controller with these environment variables in addition to those of this process. */
  controllerWith(variables: Readonly<Record<string, string>>, ...flags: string[]): Daemon {
    const args = ['controller', '--metrics-address', '127.0.0.1:0', ...flags];
    const daemon = new Daemon(args, { ...variables, KUBECONFIG: this.#controllerKubeconfig });
    this.#daemons.push(daemon);
    return daemon;
  }

  /** Runs a stock `kubectl`. Resolves to its standard output. */
  async kubectl(...args: string[]): Promise<string> {
    const env = { ...process.env, KUBECONFIG: this.kubeconfig, HOME: this.folder };
    return (await run(this.#server.kubectl, args, { cwd: root, env, maxBuffer: 64 * 1024 * 1024 })).stdout;
  }

  create(path: string, body: object): Promise<unknown> {
    return this.client.request({ method: 'POST', path, body });
  }

  get<T>(path: string): Promise<T> {
    return this.client.request<T>({ method: 'GET', path });
  }

  merge(path: string, body: object): Promise<unknown> {
    return this.client.request({
      method: 'PATCH',
      path,
      body,
      contentType: 'application/merge-patch+json',
    });
  }

  delete(path: string): Promise<unknown> {
    return this.client.request({ method: 'DELETE', path });
  }

  /** Turns a knob of the API server. */
  async knob(name: Knob): Promise<void> {
    await this.#server.turn(name);
  }

  /** Counts of the requests with this user agent since the knob `reset` was last turned, by `VERB resource`. */
  async requests(agent: string): Promise<Map<string, number>> {
    const own = [...(await this.#server.requests())].filter(([key]) => key.startsWith(`${agent} `));
    return new Map(own.map(([key, count]) => [key.slice(agent.length + 1), count]));
  }
}
