/** A lab whose router has no routing daemon yet, and what the BFD tests ask of it. */
import assert from 'node:assert/strict';
import type { LabNode } from '../../lab/fabric.ts';
import { Lab } from '../../lab/lab.ts';

interface PeerView {
  readonly name: string;
  readonly state: string;
  readonly since: string;
  readonly lastError?: string;
  readonly bfd?: {
    readonly state: string;
    readonly since: string;
    readonly remoteState: string;
    readonly localDiscriminator: number;
    readonly remoteDiscriminator: number;
    readonly problem?: string;
  };
}

/** The session of a node with the router. */
export async function sessionOf(lab: Lab, node: LabNode): Promise<PeerView | undefined> {
  const status = (await lab.status(node.namespace)) as { readonly peers: readonly PeerView[] };
  return status.peers[0];
}

export async function isUp(lab: Lab, node: LabNode): Promise<boolean> {
  const session = await sessionOf(lab, node);
  return session?.state === 'Established' && session.bfd?.state === 'Up';
}

/** Pulls the cable of a node on the far side of a switch: frames are lost, and the node keeps its carrier. */
export async function silence(lab: Lab, node: LabNode): Promise<void> {
  await lab.fabric.segment.ip('link', 'set', node.name, 'nomaster');
}

export async function unsilence(lab: Lab, node: LabNode): Promise<void> {
  const [link] = JSON.parse(await lab.fabric.segment.ip('-j', 'link', 'show', 'type', 'bridge')) as {
    ifname: string;
  }[];
  assert.ok(link);
  await lab.fabric.segment.ip('link', 'set', node.name, 'master', link.ifname);
}

function service(name: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { type: 'LoadBalancer', ports: [{ port: 80, targetPort: 8080 }], selector: { app: name } },
  };
}

/** The nodes that the router's kernel forwards packets for the address to. */
export async function nextHops(lab: Lab, address: string): Promise<string[]> {
  const [route] = JSON.parse(await lab.fabric.router.ip('-j', 'route', 'show', `${address}/32`)) as {
    gateway?: string;
    nexthops?: { gateway: string }[];
  }[];
  return (route?.nexthops?.map(({ gateway }) => gateway) ?? (route?.gateway ? [route.gateway] : [])).sort();
}

export async function events(lab: Lab, reason: string): Promise<string> {
  const columns = 'custom-columns=O:.involvedObject.kind,N:.involvedObject.name,T:.type,M:.message';
  return lab.kubectl('get', 'events', '-n', 'default', '--field-selector', `reason=${reason}`, '-o', columns);
}

/** A lab of two nodes and the Service `web`. No routing daemon runs on the router. */
export async function startWithoutRouter(config: string): Promise<{ lab: Lab; address: string }> {
  const lab = await Lab.start({ nodes: 2 });
  await lab.stop('bird');
  await lab.configure(config);
  await lab.apply(service('web'));
  await lab.addPods('web', lab.fabric.nodes);
  await lab.until('web has an address', async () => (await lab.addressesOf('web')).length === 1);
  const [address = ''] = await lab.addressesOf('web');
  return { lab, address };
}
