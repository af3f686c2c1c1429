/**
 * Bodies of POST requests that kubectl 1.32 sent, each with the object that `--dry-run=client -o json` prints. The objects are listed
 * without their empty fields.
 */
export const protobufCaptures: readonly {
  readonly command: string;
  readonly base64: string;
  readonly object: object;
}[] = [
  {
    command: 'kubectl create configmap c --from-literal=a=b',
    base64: 'azhzAAoPCgJ2MRIJQ29uZmlnTWFwEhsKEQoBYxIAGgAiACoAMgA4AEIAEgYKAWESAWIaACIA',
    object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'c' }, data: { a: 'b' } },
  },
  {
    command: 'kubectl create secret generic s --from-literal=password=x',
    base64: 'azhzAAoMCgJ2MRIGU2VjcmV0EiQKEQoBcxIAGgAiACoAMgA4AEIAEg0KCHBhc3N3b3JkEgF4GgAaACIA',
    object: { kind: 'Secret', apiVersion: 'v1', metadata: { name: 's' }, data: { password: 'eA==' } },
  },
  {
    command: 'kubectl create namespace n',
    base64: 'azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhkKEQoBbhIAGgAiACoAMgA4AEIAEgAaAgoAGgAiAA==',
    object: { kind: 'Namespace', apiVersion: 'v1', metadata: { name: 'n' } },
  },
  {
    command: 'kubectl create serviceaccount a',
    base64: 'azhzAAoUCgJ2MRIOU2VydmljZUFjY291bnQSEwoRCgFhEgAaACIAKgAyADgAQgAaACIA',
    object: { kind: 'ServiceAccount', apiVersion: 'v1', metadata: { name: 'a' } },
  },
  {
    command: 'kubectl create service loadbalancer web --tcp=80:8080',
    base64:
      'azhzAAoNCgJ2MRIHU2VydmljZRJsCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEkUKGwoHODAtODA4MBIDVENQGFAiBwgAEJA/GgAoABIKCgNhcHASA3dlYhoAIgxMb2FkQmFsYW5jZXI6AEIAUgBaAGAAaAAaAgoAGgAiAA==',
    object: {
      kind: 'Service',
      apiVersion: 'v1',
      metadata: { name: 'web', labels: { app: 'web' } },
      spec: {
        ports: [{ name: '80-8080', protocol: 'TCP', port: 80, targetPort: 8080 }],
        selector: { app: 'web' },
        type: 'LoadBalancer',
      },
    },
  },
  {
    command: 'kubectl create service clusterip db --clusterip=None',
    base64:
      'azhzAAoNCgJ2MRIHU2VydmljZRJNCh0KAmRiEgAaACIAKgAyADgAQgBaCQoDYXBwEgJkYhIoEgkKA2FwcBICZGIaBE5vbmUiCUNsdXN0ZXJJUDoAQgBSAFoAYABoABoCCgAaACIA',
    object: {
      kind: 'Service',
      apiVersion: 'v1',
      metadata: { name: 'db', labels: { app: 'db' } },
      spec: { selector: { app: 'db' }, clusterIP: 'None', type: 'ClusterIP' },
    },
  },
];
