/** The invariants of the cluster, which must hold once the faults of a burst are over. */

import type { Lab } from '../../lab/lab.ts';
import { parseAnnouncing } from '../../src/cluster/announcing.ts';
import { bgpServices, layer2Services } from './cluster.ts';

export interface Picture {
  /** For each address, the nodes that report that they answer for it. */
  readonly owners: ReadonlyMap<string, readonly string[]>;
  /** Service of each layer-2 address. */
  readonly services: ReadonlyMap<string, string>;
  /** Addresses of each BGP Service, comma separated. */
  readonly routed: ReadonlyMap<string, string>;
  /** Number of NodeUnassigned events, by Service. */
  readonly unassigned: ReadonlyMap<string, number>;
}

interface ServiceObject {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] } };
}

async function getList<T>(lab: Lab, collection: 'services' | 'events'): Promise<readonly T[]> {
  const path = `/api/v1/namespaces/default/${collection}`;
  return (await lab.client.request<{ items: readonly T[] }>({ method: 'GET', path })).items;
}

export async function takePicture(lab: Lab): Promise<Picture> {
  const owners = new Map<string, string[]>();
  for (const { name, namespace } of lab.fabric.nodes) {
    const { announcing } = (await lab.status(namespace)) as { announcing: Readonly<Record<string, string>> };
    for (const address of Object.keys(announcing))
      owners.set(address, [...(owners.get(address) ?? []), name]);
  }
  const services = new Map<string, string>();
  const routed = new Map<string, string>();
  for (const { metadata, status } of await getList<ServiceObject>(lab, 'services')) {
    const addresses = (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip);
    if (layer2Services.includes(metadata.name))
      for (const address of addresses) services.set(address, metadata.name);
    if (bgpServices.includes(metadata.name)) routed.set(metadata.name, addresses.join());
  }
  const unassigned = new Map<string, number>();
  const events = await getList<{
    reason: string;
    series?: { count: number };
    involvedObject: { name: string };
  }>(lab, 'events');
  for (const { reason, series, involvedObject } of events)
    if (reason === 'NodeUnassigned')
      unassigned.set(involvedObject.name, (unassigned.get(involvedObject.name) ?? 0) + (series?.count ?? 1));
  return { owners, services, routed, unassigned };
}

/** Returns one line for each violation that it finds, and no line when all invariants hold. A violation may end the check early. */
export async function violations(lab: Lab): Promise<string[]> {
  const wrong: string[] = [];
  for (const name of ['controller', 'bird', ...lab.fabric.nodes.map((node) => `speaker-${node.name}`)])
    if (!lab.isRunning(name)) wrong.push(`${name} has ended`);
  if (wrong.length > 0) return wrong;
  const { owners, services } = await takePicture(lab);
  const objects = await getList<ServiceObject>(lab, 'services');
  for (const name of layer2Services) {
    const object = objects.find(({ metadata }) => metadata.name === name);
    const addresses = (object?.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip);
    if (addresses.length !== 2) wrong.push(`${name} has ${addresses.length} addresses`);
    const record = parseAnnouncing({ annotations: object?.metadata.annotations ?? {} });
    for (const address of addresses) {
      const nodes = owners.get(address) ?? [];
      if (nodes.length !== 1)
        wrong.push(`${address} of ${name}: exactly one node must answer, but [${nodes}] report that they do`);
      if (record.get(address)?.node !== nodes[0])
        wrong.push(
          `${address} of ${name}: the record names ${record.get(address)?.node}, but [${nodes}] answer`,
        );
    }
    for (const address of record.keys())
      if (!addresses.includes(address))
        wrong.push(`${name}: the record names ${address}, which it does not have`);
  }
  for (const [address, nodes] of owners)
    if (!services.has(address)) wrong.push(`${address} belongs to no Service, but [${nodes}] answer`);
  for (const name of bgpServices) {
    const addresses = await lab.addressesOf(name);
    if (addresses.length !== 1) wrong.push(`${name} has ${addresses.length} addresses`);
    for (const address of addresses) {
      const routes = await lab.birdc('show', 'route', 'for', address).catch(() => '');
      const count = routes.match(/\bvia\b/g)?.length ?? 0;
      if (count !== lab.fabric.nodes.length)
        wrong.push(`${name}: the router has ${count} next hops for ${address}`);
    }
  }
  if (wrong.length > 0) return wrong;
  const counts = await Promise.all(
    [...services.keys()].map(async (each) => [each, (await lab.answerers(each)).size] as const),
  );
  for (const [address, count] of counts) if (count !== 1) wrong.push(`${address}: ${count} hosts answer`);
  return wrong;
}

const signsOfBugs = /"msg":"bug:|uncaughtException|unhandledRejection|FATAL ERROR|^\s+at .*\.ts:\d+/m;

/** Signs of bugs that the processes have logged since `logLengths()` returned `since`. */
export function bugsLogged(lab: Lab, since: ReadonlyMap<string, number>): string[] {
  return [...since].flatMap(([name, length]) => {
    const found = signsOfBugs.exec(lab.log(name).slice(length));
    return found ? [`${name} logged ${found[0]}`] : [];
  });
}

export function logLengths(lab: Lab): Map<string, number> {
  const names = ['controller', ...lab.fabric.nodes.map((node) => `speaker-${node.name}`)];
  return new Map(names.map((name) => [name, lab.log(name).length]));
}
