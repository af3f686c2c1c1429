import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceAccountDirectory } from '../src/kubernetes/credentials/in-cluster.ts';

/** The variables that the kubelet sets in a Pod, so that the Pod finds the API server. */
export function podEnvironment(server: {
  readonly host: string;
  readonly port: number;
}): Readonly<Record<string, string>> {
  return { KUBERNETES_SERVICE_HOST: server.host, KUBERNETES_SERVICE_PORT: String(server.port) };
}

/** Writes the files of a ServiceAccount that the kubelet mounts into a Pod. */
export function writeServiceAccount(
  folder: string,
  files: { readonly token: string; readonly certificate: string },
): void {
  mkdirSync(folder, { recursive: true });
  mkdirSync(serviceAccountDirectory, { recursive: true });
  writeFileSync(join(folder, 'token'), files.token);
  writeFileSync(join(folder, 'ca.crt'), files.certificate);
}

/**
 * Returns a command that runs `command` with the files of {@link writeServiceAccount} in the place where a Pod has them. Run the result with
 * `ip netns exec`, which gives each process its own mount namespace, so that no other process sees the mount.
 */
export function withServiceAccount(folder: string, command: readonly string[]): readonly string[] {
  const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
  return ['sh', '-c', script, 'sh', folder, serviceAccountDirectory, ...command];
}
