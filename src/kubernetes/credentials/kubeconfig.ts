/**
 * Credentials of a kubeconfig file that is not plain (`plain-kubeconfig.ts`). `@kubernetes/client-node` reads the file and runs what the file
 * names: exec plugins, OIDC, proxies. Only this module imports the package. The module is loaded only for such a file, because loading the
 * package takes time and memory.
 */
import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import type { Credentials } from './credentials.ts';

/** Throws an error that names the missing or broken file. */
export function kubeconfigCredentials(path: string): Credentials {
  try {
    readFileSync(path);
  } catch (cause) {
    throw new Error(`kubeconfig ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const config = new KubeConfig();
  try {
    config.loadFromFile(path);
  } catch (cause) {
    throw new Error(`kubeconfig ${path} is not valid: ${(cause as Error).message}`, { cause });
  }
  return new KubeconfigCredentials(config, path);
}

class KubeconfigCredentials implements Credentials {
  readonly server: URL;
  readonly isProxied: boolean;
  readonly #config: KubeConfig;

  constructor(config: KubeConfig, path: string) {
    const cluster = config.getCurrentCluster();
    if (!cluster)
      throw new Error(`kubeconfig ${path} has no cluster for its current-context "${config.currentContext}"`);
    this.#config = config;
    this.server = new URL(cluster.server);
    this.isProxied = cluster.proxyUrl !== undefined;
    // `kubectl proxy` and test servers speak plain HTTP, which KubeConfig refuses without skipTLSVerify.
    if (this.server.protocol === 'http:' && !cluster.skipTLSVerify)
      config.loadFromClusterAndUser(
        { ...cluster, skipTLSVerify: true },
        config.getCurrentUser() ?? { name: 'anonymous' },
      );
  }

  /** This also sets the header with the token. Plain HTTP needs that header too. */
  apply(options: RequestOptions): Promise<void> {
    return this.#config.applyToHTTPSOptions(options);
  }
}
