/** The cluster DNS: CoreDNS as a Deployment with a Service, with the names and the address that kubeadm gives them. */
import type { ClusterDns } from '../cluster/kubelet.ts';

/** `images.ts` builds this image. containerd never pulls it. */
export const dnsImage = 'bellman.invalid/coredns:1';
/** The kubelets tell Pods to use this DNS server and domain. The address lies in the network of Services. */
export const dns: ClusterDns = { address: '10.96.0.10', domain: 'cluster.local' };

const name = 'coredns';
const namespace = 'kube-system';
const labels = { 'k8s-app': 'kube-dns' };

const corefile = `.:53 {
  errors
  ready
  cache 5
  kubernetes ${dns.domain} in-addr.arpa ip6.arpa
}
`;

/** The objects of the cluster DNS. */
export function clusterDns(): readonly object[] {
  const metadata = { name, namespace };
  const rights = [
    { apiGroups: [''], resources: ['services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  ];
  const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name };
  const container = {
    name,
    image: dnsImage,
    args: ['-conf', '/etc/coredns/Corefile'],
    ports: [
      { name: 'dns', containerPort: 53, protocol: 'UDP' },
      { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
    ],
    readinessProbe: { httpGet: { path: '/ready', port: 8181 }, timeoutSeconds: 5 },
    resources: { requests: { cpu: '100m' } },
    volumeMounts: [{ name: 'config', mountPath: '/etc/coredns' }],
  };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules: rights },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: role,
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { Corefile: corefile } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: name,
            // The Pods of the cluster DNS must not send their own queries to the cluster DNS.
            dnsPolicy: 'Default',
            containers: [container],
            volumes: [{ name: 'config', configMap: { name } }],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kube-dns', namespace },
      spec: {
        selector: labels,
        clusterIP: dns.address,
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP' },
          { name: 'dns-tcp', port: 53, protocol: 'TCP' },
        ],
      },
    },
  ];
}
