/** The cluster of a chaos run: four nodes, dual-stack layer-2 Services, one of them with externalTrafficPolicy Local, and BGP Services. */
import { Lab } from '../../lab/lab.ts';
import { closeOnFailure } from '../support/close-on-failure.ts';

const config = `peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1, hold-time: 9s}
address-pools:
- {name: public, protocol: bgp, auto-assign: false, addresses: [198.51.100.0/24]}
- {name: office, protocol: layer2, addresses: [192.0.2.200-192.0.2.250, 2001:db8:2::200-2001:db8:2::250]}
`;

/** Layer-2 Services that keep their endpoints. */
export const printers = ['printer-1', 'printer-2', 'printer-3', 'printer-4'] as const;
/** A layer-2 Service with externalTrafficPolicy Local. */
export const localService = 'local';
/** A layer-2 Service that loses all its endpoints now and then. */
export const toggledService = 'toggled';
export const layer2Services: readonly string[] = [...printers, localService, toggledService];
export const bgpServices: readonly string[] = ['web-1', 'web-2'];

function service(name: string): object {
  const isBgp = bgpServices.includes(name);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: 'default',
      annotations: { 'bellman.dev/address-pool': isBgp ? 'public' : 'office' },
    },
    spec: {
      type: 'LoadBalancer',
      ...(isBgp ? {} : { ipFamilyPolicy: 'RequireDualStack' }),
      ...(name === localService ? { externalTrafficPolicy: 'Local' } : {}),
      selector: { app: name },
      ports: [{ port: 80, targetPort: 8080 }],
    },
  };
}

/** Starts the lab. Resolves when every Service has its addresses. */
export async function startCluster(): Promise<Lab> {
  const lab = await Lab.start({ nodes: 4 });
  return closeOnFailure(lab, async () => {
    await lab.configure(config);
    for (const name of layer2Services) await lab.addPods(name, lab.fabric.nodes);
    for (const name of bgpServices) await lab.addPods(name, lab.fabric.nodes.slice(0, 2));
    await lab.apply(...[...layer2Services, ...bgpServices].map(service));
    for (const name of [...layer2Services, ...bgpServices]) {
      const expected = bgpServices.includes(name) ? 1 : 2;
      await lab.until(
        `${name} has its addresses`,
        async () => (await lab.addressesOf(name)).length === expected,
      );
    }
    return lab;
  });
}
