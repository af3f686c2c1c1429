/**
 * Credentials of a kubeconfig file that is not plain in the sense of `plain-kubeconfig.ts`. `@kubernetes/client-node` reads the file, and handles
 * the exec plugins, OIDC and proxies that the file names. Only this module imports that package. This module is loaded only for such a file,
 * because loading the package takes time and memory.
 */
import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { type Cluster, KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '../../clock.ts';
import type { Credentials } from './credentials.ts';

/**
 * When a plugin has run for this time without a result, the next request starts the plugin again. The time is long because a plugin may wait
 * for a person who logs in with a browser.
 */
const longestPluginMs = 60_000;

/** Throws an error that names the missing or broken file. */
export function kubeconfigCredentials(path: string, clock: Clock): Credentials {
  try {
    readFileSync(path);
  } catch (cause) {
    throw new Error(`kubeconfig ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  return new KubeconfigCredentials(path, clock);
}

class KubeconfigCredentials implements Credentials {
  readonly server: URL;
  readonly isProxied: boolean;
  readonly #path: string;
  readonly #context: string;
  readonly #clock: Clock;
  #config: KubeConfig;
  /** The credentials that are being obtained. */
  #pending: Promise<RequestOptions> | undefined;

  constructor(path: string, clock: Clock) {
    const { config, cluster, context } = load(path);
    this.#path = path;
    this.#context = context;
    this.#clock = clock;
    this.#config = config;
    this.server = new URL(cluster.server);
    this.isProxied = cluster.proxyUrl !== undefined;
  }

  /**
   * Sets the TLS options and the header with the token. Plain HTTP needs that header too. Requests that begin while a plugin runs share its
   * result. Otherwise each request could open another browser window, or start another process of a plugin that hangs.
   */
  async apply(options: RequestOptions): Promise<void> {
    this.#pending ??= this.#begin();
    const { headers, ...material } = await this.#pending;
    Object.assign(options, material, { headers: { ...options.headers, ...headers } });
  }

  /**
   * Forgets the token of a plugin. A token without an expiry is valid until the server refuses it (client.authentication.k8s.io/v1). The context
   * stays the same even when the file names another one by now, because a token must not go to the server of another cluster. OIDC tokens are not
   * read again, because those in the file are older than the ones that this process has refreshed.
   */
  refused(): undefined {
    if (!this.#config.getCurrentUser()?.exec) return;
    try {
      this.#config = load(this.#path, this.#context).config;
    } catch {
      // Another program may be writing the file. The next refusal reads it again.
    }
  }

  #begin(): Promise<RequestOptions> {
    const obtained = this.#obtain();
    const forget = () => {
      if (this.#pending === obtained) this.#pending = undefined;
    };
    const limit = this.#clock.after(longestPluginMs, forget);
    const end = () => {
      limit.cancel();
      forget();
    };
    obtained.then(end, end);
    return obtained;
  }

  async #obtain(): Promise<RequestOptions> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    return options;
  }
}

interface Loaded {
  readonly config: KubeConfig;
  readonly cluster: Cluster;
  /** The name of the context in the file. */
  readonly context: string;
}

function load(path: string, chosen?: string): Loaded {
  const config = new KubeConfig();
  try {
    config.loadFromFile(path);
  } catch (cause) {
    throw new Error(`kubeconfig ${path} is not valid: ${(cause as Error).message}`, { cause });
  }
  const context = chosen ?? config.currentContext;
  config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error(`kubeconfig ${path} has no cluster for its current-context "${context}"`);
  // `kubectl proxy` and test servers speak plain HTTP, which KubeConfig refuses without skipTLSVerify.
  if (new URL(cluster.server).protocol === 'http:' && !cluster.skipTLSVerify)
    config.loadFromClusterAndUser(
      { ...cluster, skipTLSVerify: true },
      config.getCurrentUser() ?? { name: 'anonymous' },
    );
  return { config, cluster, context };
}
