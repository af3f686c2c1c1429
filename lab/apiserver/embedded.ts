import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../../test/support/eventually.ts';
import type { ApiServer, ApiServerOptions, Knob } from '../api-server.ts';

const run = promisify(execFile);

interface Kubeconfig {
  readonly clusters: readonly [{ readonly cluster: { readonly 'certificate-authority-data'?: string } }];
  readonly users: readonly [{ readonly user: { readonly token?: string } }];
}

/** The embedded API server as a process of a lab or a test. */
export class EmbeddedApiServer implements ApiServer {
  readonly kubectl = 'kubectl';
  readonly url: string;
  readonly kubeconfig: string;
  readonly certificate: string;
  readonly #token: string;

  private constructor(url: string, kubeconfig: string) {
    this.url = url;
    this.kubeconfig = kubeconfig;
    const { clusters, users } = JSON.parse(readFileSync(kubeconfig, 'utf8')) as Kubeconfig;
    const { 'certificate-authority-data': certificate = '' } = clusters[0].cluster;
    this.certificate = Buffer.from(certificate, 'base64').toString('utf8');
    this.#token = users[0].user.token ?? '';
  }

  static async start(options: ApiServerOptions): Promise<EmbeddedApiServer> {
    const { processes, host, address, port = 0, folder, embeddedFlags = [] } = options;
    const kubeconfig = join(folder, 'kubeconfig');
    processes.start('apiserver', host, process.execPath, [
      join(import.meta.dirname, 'main.ts'),
      ...['--host', address, '--port', String(port), '--log-folder', folder, '--kubeconfig-out', kubeconfig],
      ...embeddedFlags,
    ]);
    // The server writes the kubeconfig before it prints its URL.
    const url = await eventually(
      'the embedded API server prints its URL',
      () => /^https?:\/\/\S+$/m.exec(processes.log('apiserver'))?.[0],
      { explain: () => `\n${processes.lastLines(15)}` },
    );
    return new EmbeddedApiServer(url, kubeconfig);
  }

  async turn(knob: Knob): Promise<void> {
    await run('curl', ['-sSfk', '-X', 'POST', `${this.url}/lab/${knob}`]);
  }

  async requests(): Promise<ReadonlyMap<string, number>> {
    const { stdout } = await run('curl', ['-sSfk', `${this.url}/lab/requests`]);
    return new Map(Object.entries(JSON.parse(stdout) as Record<string, number>));
  }

  /** One token is valid for all accounts, because the embedded server has no authorization. */
  token(): Promise<string> {
    return Promise.resolve(this.#token);
  }
}
