import { parseIp } from '../address/index.ts';
import { annotations } from '../cluster/names.ts';
import type { AssignedAddress } from '../config/index.ts';
import type { Api, RawObject } from '../kubernetes/api.ts';
import { connect } from '../kubernetes/client.ts';
import { decodeService } from '../kubernetes/decode.ts';
import { objectKey, type Service } from '../kubernetes/model.ts';
import { paths } from '../kubernetes/write.ts';

/**
 * Reads the addresses that Bellman assigned in the cluster. Bellman assigned the addresses of a Service if the Service has the pool
 * annotation, which only the controller writes. Rejects when the API server cannot be reached.
 */
export async function assignedAddresses(kubeconfig: string): Promise<AssignedAddress[]> {
  const client = await connect(kubeconfig, 'bellman-validate');
  try {
    return await addressesOfServices(
      client,
      (service) => service.annotations[annotations.pool] !== undefined,
    );
  } finally {
    client.close();
  }
}

/**
 * Reads the addresses of the Services of type LoadBalancer that `isWanted` selects, by default of all. It does not matter which program assigned
 * them.
 */
export async function addressesOfServices(
  client: Api,
  isWanted: (service: Service) => boolean = () => true,
): Promise<AssignedAddress[]> {
  const { items } = await client.request<{ items: RawObject[] }>({
    method: 'GET',
    path: paths.services,
    timeoutMs: 60_000,
  });
  return items
    .map(decodeService)
    .filter((service) => service.type === 'LoadBalancer' && isWanted(service))
    .flatMap((service) =>
      service.ingress.flatMap(({ ip }) => {
        const address = parseIp(ip);
        return address ? [{ service: objectKey(service), address }] : [];
      }),
    );
}
