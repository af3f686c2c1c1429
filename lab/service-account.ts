import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceAccountDirectory } from '../src/kubernetes/credentials/in-cluster.ts';

interface Kubeconfig {
  readonly clusters: readonly [{ readonly cluster: { readonly 'certificate-authority-data': string } }];
  readonly users: readonly [{ readonly user: { readonly token: string } }];
}

/** Writes the files that the kubelet mounts into a Pod, from the API server's kubeconfig. All Pods of the lab share them. */
export function mountServiceAccount(kubeconfigPath: string): void {
  const { clusters, users } = JSON.parse(readFileSync(kubeconfigPath, 'utf8')) as Kubeconfig;
  const certificate = Buffer.from(clusters[0].cluster['certificate-authority-data'], 'base64');
  mkdirSync(serviceAccountDirectory, { recursive: true });
  writeFileSync(join(serviceAccountDirectory, 'token'), users[0].user.token);
  writeFileSync(join(serviceAccountDirectory, 'ca.crt'), certificate);
}

/** The variables that the kubelet sets in a Pod, so that it finds the API server. */
export function podEnvironment(server: {
  readonly host: string;
  readonly port: number;
}): Readonly<Record<string, string>> {
  return { KUBERNETES_SERVICE_HOST: server.host, KUBERNETES_SERVICE_PORT: String(server.port) };
}
