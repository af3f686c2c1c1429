/**
 * The API server of a lab or a test. There are two. The embedded one (`apiserver/`) starts in a second and needs no other program. The other one
 * is Kubernetes itself (`kubernetes/`): etcd, kube-apiserver and kube-controller-manager. Labs and tests use Kubernetes if the environment variable
 * BELLMAN_KUBERNETES names the folder of these programs. `lab/kubernetes/build.sh` builds the programs and prints the folder.
 */
import type { ApiServer, ApiServerOptions } from './api-server.ts';
import { EmbeddedApiServer } from './apiserver/embedded.ts';
import { Kubernetes } from './kubernetes/kubernetes.ts';

const { BELLMAN_KUBERNETES: programs } = process.env;

/** Whether the labs and tests of this process use Kubernetes itself. */
export const isKubernetes = programs !== undefined && programs !== '';

/** Why a test does not apply to Kubernetes; `false` with the embedded server. For the option `skip` of a test. */
export function skippedOnKubernetes(reason: string): string | false {
  return isKubernetes && `not on Kubernetes: ${reason}`;
}

/** Why a test applies only to Kubernetes; `false` with Kubernetes. For the option `skip` of a test. */
export function skippedOnEmbedded(reason: string): string | false {
  return !isKubernetes && `only on Kubernetes: ${reason}`;
}

/** Resolves once the server answers. */
export function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  return isKubernetes
    ? Kubernetes.start({ ...options, programs: programs ?? '' })
    : EmbeddedApiServer.start(options);
}
