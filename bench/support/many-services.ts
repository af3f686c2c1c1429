import { setTimeout as pause } from 'node:timers/promises';
import type { LabNode } from '../../lab/fabric.ts';
import type { Lab } from '../../lab/lab.ts';

const atOnce = 50;
/** The wait for addresses fails after five minutes plus this time for each Service. */
const patienceMs = 30;
/**
 * The pause before each read of the controller's status is this time multiplied by the number of Services, because a read costs more when there
 * are more Services.
 */
const pauseMs = 0.05;

/**
 * Makes Services, each with one endpoint on the node. Their names are `s` and a number from `from` to `to - 1`, for example `s0`. Resolves when
 * every Service has an address.
 */
export async function makeManyServices(
  lab: Lab,
  node: LabNode,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<void> {
  const post = (path: string, body: object) => lab.client.request({ method: 'POST', path, body });
  const make = async (name: string) => {
    await post('/api/v1/namespaces/default/services', {
      metadata: { name },
      spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP' }], selector: { app: name } },
    });
    await post('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
      metadata: { name, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ protocol: 'TCP', port: 8080 }],
      endpoints: [
        { addresses: ['10.244.1.2'], nodeName: node.name, conditions: { ready: true, serving: true } },
      ],
    });
  };
  for (let i = from; i < to; i += atOnce)
    await Promise.all(Array.from({ length: Math.min(atOnce, to - i) }, (_, j) => make(`s${i + j}`)));
  const assigned = async () => {
    await pause(to * pauseMs);
    const { services } = (await lab.status(lab.fabric.control)) as { services: { addresses: object[] }[] };
    return services.filter(({ addresses }) => addresses.length > 0).length;
  };
  if (to > from)
    await lab.until(
      'every Service has an address',
      async () => (await assigned()) >= to,
      300_000 + to * patienceMs,
    );
}
