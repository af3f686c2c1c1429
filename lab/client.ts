import { readFileSync } from 'node:fs';
import { KubernetesClient } from '../src/kubernetes/client.ts';
import { parseKubeconfig } from './apiserver/kubeconfig.ts';

/**
 * A client with the credentials of a kubeconfig that the lab has written. `connect()` takes any kubeconfig, but loads `@kubernetes/client-node`,
 * which consists of hundreds of modules. Every test and every lab would load them.
 */
export function labClient(kubeconfig: string, userAgent: string): KubernetesClient {
  const { url, certificate, token } = parseKubeconfig(readFileSync(kubeconfig, 'utf8'));
  return new KubernetesClient(
    {
      server: new URL(url),
      isProxied: false,
      apply: (options) => {
        if (certificate !== undefined) options.ca = certificate;
        if (token !== undefined) options.headers = { ...options.headers, authorization: `Bearer ${token}` };
        return Promise.resolve();
      },
    },
    { userAgent },
  );
}
