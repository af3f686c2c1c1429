/**
 * Credentials of a kubeconfig file that is not plain (`plain-kubeconfig.ts`). `@kubernetes/client-node` reads the file and runs what the file
 * names: exec plugins, OIDC, proxies. Only this module imports the package. The module is loaded only for such a file, because loading the
 * package takes time and memory.
 */
import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { type Cluster, KubeConfig } from '@kubernetes/client-node';
import type { Credentials } from './credentials.ts';

/** Throws an error that names the missing or broken file. */
export function kubeconfigCredentials(path: string): Credentials {
  try {
    readFileSync(path);
  } catch (cause) {
    throw new Error(`kubeconfig ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  return new KubeconfigCredentials(path);
}

class KubeconfigCredentials implements Credentials {
  readonly server: URL;
  readonly isProxied: boolean;
  readonly #path: string;
  #config: KubeConfig;
  /** The credentials that are being obtained. */
  #pending: Promise<RequestOptions> | undefined;

  constructor(path: string) {
    const { config, cluster } = load(path);
    this.#path = path;
    this.#config = config;
    this.server = new URL(cluster.server);
    this.isProxied = cluster.proxyUrl !== undefined;
  }

  /**
   * This also sets the header with the token. Plain HTTP needs that header too. Requests that begin while a plugin runs share its result, because a
   * plugin may open a browser, and one that hangs must not be started again by each request.
   */
  async apply(options: RequestOptions): Promise<void> {
    this.#pending ??= this.#obtain().finally(() => {
      this.#pending = undefined;
    });
    const { headers, ...material } = await this.#pending;
    Object.assign(options, material, { headers: { ...options.headers, ...headers } });
  }

  /** Forgets the token of a plugin. One without an expiry is valid until the server refuses it (client.authentication.k8s.io/v1). */
  refused(): undefined {
    try {
      this.#config = load(this.#path).config;
    } catch {
      // Another program may be writing the file. The next refusal reads it again.
    }
  }

  async #obtain(): Promise<RequestOptions> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    return options;
  }
}

function load(path: string): { readonly config: KubeConfig; readonly cluster: Cluster } {
  const config = new KubeConfig();
  try {
    config.loadFromFile(path);
  } catch (cause) {
    throw new Error(`kubeconfig ${path} is not valid: ${(cause as Error).message}`, { cause });
  }
  const cluster = config.getCurrentCluster();
  if (!cluster)
    throw new Error(`kubeconfig ${path} has no cluster for its current-context "${config.currentContext}"`);
  // `kubectl proxy` and test servers speak plain HTTP, which KubeConfig refuses without skipTLSVerify.
  if (new URL(cluster.server).protocol === 'http:' && !cluster.skipTLSVerify)
    config.loadFromClusterAndUser(
      { ...cluster, skipTLSVerify: true },
      config.getCurrentUser() ?? { name: 'anonymous' },
    );
  return { config, cluster };
}
