import type { Lab } from '../../lab/lab.ts';

/** The addresses of the nodes to which the router's kernel forwards packets for the address. */
export async function nextHops(lab: Lab, address: string): Promise<string[]> {
  const [family, length] = address.includes(':') ? ['-6', 128] : ['-4', 32];
  const text = await lab.fabric.router.ip(family, '-j', 'route', 'show', `${address}/${length}`);
  const [route] = JSON.parse(text) as {
    gateway?: string;
    nexthops?: { gateway: string }[];
  }[];
  return (route?.nexthops?.map(({ gateway }) => gateway) ?? (route?.gateway ? [route.gateway] : [])).sort();
}
