import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabNode } from '../fabric.ts';
import type { Processes } from '../processes.ts';
import type { Kubernetes } from './kubernetes.ts';

/** The networks of the lab's pods, of both families. */
const podNetworks = '10.244.0.0/16,fd00:244::/48';

/** Starts a kube-proxy on the node, in its nftables mode. Returns the name of the process. */
export function startKubeProxy(
  kubernetes: Kubernetes,
  processes: Processes,
  { name, namespace }: LabNode,
  folder: string,
): string {
  const config = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    hostnameOverride: name,
    clientConnection: { kubeconfig: kubernetes.kubeconfigOf('system:kube-proxy') },
    clusterCIDR: podNetworks,
    // Without this, kube-proxy in nftables mode answers node ports and health checks only at the node's first address.
    nodePortAddresses: ['0.0.0.0/0', '::/0'],
    // The kernel does not let a network namespace set these sysctls. These values tell kube-proxy to leave them alone.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
  const path = join(folder, `kube-proxy-${name}.json`);
  writeFileSync(path, JSON.stringify(config));
  const process = `kube-proxy-${name}`;
  processes.start(process, namespace, kubernetes.program('kube-proxy'), ['--config', path]);
  return process;
}
