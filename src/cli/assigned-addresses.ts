import { parseIp } from '../address/index.ts';
import { annotations } from '../cluster/names.ts';
import type { AssignedAddress } from '../config/index.ts';
import type { Api, RawObject } from '../kubernetes/api.ts';
import { decodeService } from '../kubernetes/decode.ts';
import { objectKey, type Service } from '../kubernetes/model.ts';
import { paths } from '../kubernetes/write.ts';

/** Whether Bellman assigned the addresses of a Service: it has the pool annotation, which only the controller writes. */
export function isAssignedByUs(service: Service): boolean {
  return service.annotations[annotations.pool] !== undefined;
}

/** Reads the addresses of the Services of type LoadBalancer that `isWanted` selects. By default it selects all, whichever program assigned them. */
export async function addressesOfServices(
  client: Api,
  isWanted?: (service: Service) => boolean,
): Promise<AssignedAddress[]> {
  const { items } = await client.request<{ items: RawObject[] }>({
    method: 'GET',
    path: paths.services,
    timeoutMs: 60_000,
  });
  return addressesIn(items.map(decodeService), isWanted);
}

/** The addresses of the Services of type LoadBalancer that `isWanted` selects. */
export function addressesIn(
  services: readonly Service[],
  isWanted: (service: Service) => boolean = () => true,
): AssignedAddress[] {
  return services
    .filter((service) => service.type === 'LoadBalancer' && isWanted(service))
    .flatMap((service) =>
      service.ingress.flatMap(({ ip }) => {
        const address = parseIp(ip);
        return address ? [{ service: objectKey(service), address }] : [];
      }),
    );
}
