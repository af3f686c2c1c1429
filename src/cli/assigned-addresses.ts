import { parseIp } from '../address/index.ts';
import { annotations } from '../cluster/names.ts';
import type { AssignedAddress } from '../config/index.ts';
import type { RawObject } from '../kubernetes/api.ts';
import { connect } from '../kubernetes/client.ts';
import { decodeService } from '../kubernetes/decode.ts';
import { objectKey } from '../kubernetes/model.ts';
import { paths } from '../kubernetes/write.ts';

/**
 * Reads the addresses that Bellman assigned in the cluster. Bellman assigned the addresses of a Service if the Service has the pool
 * annotation, which only the controller writes. Rejects when the API server cannot be reached.
 */
export async function assignedAddresses(kubeconfig: string): Promise<AssignedAddress[]> {
  const client = await connect(kubeconfig, 'bellman-validate');
  try {
    const { items } = await client.request<{ items: RawObject[] }>({
      method: 'GET',
      path: paths.services,
      timeoutMs: 60_000,
    });
    return items
      .map(decodeService)
      .filter(
        (service) => service.type === 'LoadBalancer' && service.annotations[annotations.pool] !== undefined,
      )
      .flatMap((service) =>
        service.ingress.flatMap(({ ip }) => {
          const address = parseIp(ip);
          return address ? [{ service: objectKey(service), address }] : [];
        }),
      );
  } finally {
    client.close();
  }
}
