/** The application of a user in the cluster: HTTP servers, and a Service of type LoadBalancer in front of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const port = 8080;

/**
 * A ConfigMap with the program `lab/pod.ts`, a Deployment whose Pods run this program, and a Service that asks for addresses of the pool. The Pods
 * use Bellman's image, because it contains Node.js and is on every node already.
 */
export function backend(name: string, pool: string, image: string, replicas: number): readonly object[] {
  const labels = { app: name };
  const program = readFileSync(join(import.meta.dirname, '../pod.ts'), 'utf8');
  const field = (variable: string, fieldPath: string) => ({
    name: variable,
    valueFrom: { fieldRef: { fieldPath } },
  });
  const container = {
    name: 'http',
    image,
    command: ['/usr/lib/bellman/bin/node', '/program/pod.ts', '$(POD)', '$(NODE)', String(port)],
    env: [field('POD', 'metadata.name'), field('NODE', 'spec.nodeName')],
    ports: [{ containerPort: port }],
    // A container that requests no CPU gets hardly any CPU time while another Pod of its node starts.
    resources: { requests: { cpu: '100m' } },
    readinessProbe: { httpGet: { path: '/', port }, timeoutSeconds: 5 },
    volumeMounts: [{ name: 'program', mountPath: '/program' }],
  };
  const spread = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: labels },
  };
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { 'pod.ts': program } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 2,
            topologySpreadConstraints: [spread],
            containers: [container],
            volumes: [{ name: 'program', configMap: { name } }],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, annotations: { 'bellman.dev/address-pool': pool } },
      spec: {
        type: 'LoadBalancer',
        ipFamilyPolicy: 'RequireDualStack',
        selector: labels,
        ports: [{ port: 80, targetPort: port }],
      },
    },
  ];
}
