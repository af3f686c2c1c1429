import { readFileSync } from 'node:fs';
import type { ApiRequest } from '../src/kubernetes/api.ts';
import { KubernetesClient } from '../src/kubernetes/client.ts';
import { parseKubeconfig } from './apiserver/kubeconfig.ts';

/** How long a request of a lab may take. While other labs run, a new API server may need more than the 15 s that Bellman waits. */
const patienceMs = 60_000;

class PatientClient extends KubernetesClient {
  override request<T>(request: ApiRequest): Promise<T> {
    return super.request({ timeoutMs: patienceMs, ...request });
  }
}

/**
 * A client with the credentials of a kubeconfig that the lab has written. `connect()` takes any kubeconfig, but loads `@kubernetes/client-node`,
 * which consists of hundreds of modules. Every test and every lab would load them.
 */
export function labClient(kubeconfig: string, userAgent: string): KubernetesClient {
  const { url, certificate, token } = parseKubeconfig(readFileSync(kubeconfig, 'utf8'));
  return new PatientClient(
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
