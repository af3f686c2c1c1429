/**
 * The cluster that Bellman and MetalLB find when they start. Both find the same configuration text and the same Services. The Services have their
 * addresses already, or wait for the system's controller to assign them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabNode } from '../../lab/fabric.ts';
import { type Lab, speakerPod } from '../../lab/lab.ts';
import { put } from '../../lab/put.ts';
import {
  acceptedConfigMapName,
  configMapKey,
  configMapName,
  defaultNamespace,
} from '../../src/cluster/names.ts';
import { serviceNameLabel } from '../../src/kubernetes/model.ts';
import { paths } from '../../src/kubernetes/write.ts';
import { metalLbNamespace, metalLbPodLabels } from './system.ts';

const atOnce = 50;
const quietSeconds = 10;
const services = '/api/v1/namespaces/default/services';
const endpoints = '/api/v1/namespaces/default/endpoints';
const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';

/** One router, and one pool that is announced by BGP. */
export const bgpConfig = `peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1}
address-pools:
- {name: big, protocol: bgp, addresses: [10.32.0.0/16]}
`;

export interface ManyServices {
  /** Number of the first Service. The name of a Service contains its number. */
  readonly from: number;
  /** One more than the number of the last Service. */
  readonly to: number;
  /** The address in the status of each Service. Without `addressOf`, the Services wait for an address. */
  readonly addressOf?: (index: number) => string;
  readonly protocol?: 'TCP' | 'UDP';
  /** Addresses of the pods. All Services have the same pods. */
  readonly pods: readonly string[];
  readonly node: LabNode;
}

const nameOf = (index: number) => `s${index}`;

/** Makes the Pods of both systems' speakers, and MetalLB's namespace. */
export async function makePods(lab: Lab): Promise<void> {
  for (const node of lab.fabric.nodes) await lab.apply(speakerPod(node.name));
  await makeMetalLbPods(lab);
}

/** Makes MetalLB's namespace, and the Pods of its speakers. */
export async function makeMetalLbPods(lab: Lab): Promise<void> {
  await put(lab.client, paths.namespaces, { metadata: { name: metalLbNamespace } });
  const pods = `/api/v1/namespaces/${metalLbNamespace}/pods`;
  for (const node of lab.fabric.nodes) {
    const name = `speaker-${node.name}`;
    const pod = {
      metadata: { name, namespace: metalLbNamespace, labels: metalLbPodLabels },
      spec: { nodeName: node.name, containers: [{ name: 'speaker', image: 'metallb' }] },
    };
    // Kubernetes refuses a Pod until the namespace has a ServiceAccount.
    await lab.until(`the Pod ${name} of MetalLB`, () => put(lab.client, pods, pod).then(() => true));
    await setStatus(lab, `${pods}/${name}`, { phase: 'Running', podIP: node.addresses[0] });
  }
}

/**
 * Writes the configuration for both systems. Bellman's controller runs until it has accepted the text, because its speakers use only accepted texts.
 * MetalLB's speakers read the text themselves.
 */
export async function configure(lab: Lab, text: string): Promise<void> {
  await lab.configure(text);
  await configureMetalLb(lab, text);
  lab.startController();
  const path = `/api/v1/namespaces/${defaultNamespace}/configmaps/${acceptedConfigMapName}`;
  await lab.until('the controller accepts the configuration', async () => {
    const accepted = (await lab.client.request({ method: 'GET', path })) as { data: Record<string, string> };
    return accepted.data[configMapKey] === text;
  });
  await lab.stop('controller');
}

export async function configureMetalLb(lab: Lab, text: string): Promise<void> {
  await put(lab.client, `/api/v1/namespaces/${metalLbNamespace}/configmaps`, {
    metadata: { name: configMapName, namespace: metalLbNamespace },
    data: { [configMapKey]: text },
  });
}

/** Makes Services. With `addressOf`, they have addresses in their status. */
export async function makeServices(lab: Lab, many: ManyServices): Promise<void> {
  await inBatches(many.from, many.to, (index) => makeService(lab, index, many));
}

async function makeService(
  lab: Lab,
  index: number,
  { addressOf, protocol = 'TCP', pods, node }: ManyServices,
): Promise<void> {
  const name = nameOf(index);
  const port = { protocol, port: 8080 };
  await put(lab.client, slices, {
    metadata: { name, labels: { [serviceNameLabel]: name } },
    addressType: 'IPv4',
    ports: [port],
    endpoints: pods.map((address) => ({
      addresses: [address],
      nodeName: node.name,
      conditions: { ready: true, serving: true },
    })),
  });
  // MetalLB v0.12 knows only the beta of EndpointSlices, which the API server lacks, so MetalLB reads Endpoints instead.
  await put(lab.client, endpoints, {
    metadata: { name },
    subsets: [{ addresses: pods.map((ip) => ({ ip, nodeName: node.name })), ports: [port] }],
  });
  await put(lab.client, services, {
    metadata: { name },
    spec: {
      type: 'LoadBalancer',
      ports: [{ port: 80, targetPort: 8080, protocol }],
      selector: { app: name },
    },
  });
  if (addressOf) await setAddress(lab, index, addressOf(index));
}

export async function deleteServices(lab: Lab, from: number, to: number): Promise<void> {
  await inBatches(from, to, async (index) => {
    for (const collection of [services, endpoints, slices])
      await lab.client.request({ method: 'DELETE', path: `${collection}/${nameOf(index)}` });
  });
}

/** Writes or clears the address in the status of a Service, as a controller does. */
export async function setAddress(lab: Lab, index: number, address: string | undefined): Promise<void> {
  const ingress = address === undefined ? null : [{ ip: address }];
  await setStatus(lab, `${services}/${nameOf(index)}`, { loadBalancer: { ingress } });
}

export async function hasAddress(lab: Lab, index: number): Promise<boolean> {
  const service = await lab.client.request({ method: 'GET', path: `${services}/${nameOf(index)}` });
  return holdsAddress(service as ServiceStatus);
}

/** The numbers of the Services that have addresses. */
export async function addressesGiven(lab: Lab): Promise<number[]> {
  const list = await lab.client.request({ method: 'GET', path: services });
  return (list as { readonly items: readonly ServiceStatus[] }).items
    .filter(holdsAddress)
    .map(({ metadata }) => Number(metadata.name.slice(1)));
}

interface ServiceStatus {
  readonly metadata: { readonly name: string };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly unknown[] } };
}

function holdsAddress({ status }: ServiceStatus): boolean {
  return (status?.loadBalancer?.ingress ?? []).length > 0;
}

/** Waits until no Service has been written for some time. */
export async function untilNoWrites(lab: Lab): Promise<void> {
  const isWrite = (key: string) => / (POST|PUT|PATCH) services(\/status)?$/.test(key);
  let before = -1;
  let quietSince = performance.now();
  await lab.until(
    'no more writes of Services',
    async () => {
      const requests = [...(await lab.requests())];
      const writes = requests.reduce((sum, [key, count]) => sum + (isWrite(key) ? count : 0), 0);
      if (writes !== before) quietSince = performance.now();
      before = writes;
      await sleep(500);
      return performance.now() - quietSince > quietSeconds * 1000;
    },
    600_000,
  );
}

async function setStatus(lab: Lab, path: string, status: object): Promise<void> {
  await lab.client.request({
    method: 'PATCH',
    path: `${path}/status`,
    contentType: 'application/merge-patch+json',
    body: { status },
  });
}

async function inBatches(from: number, to: number, work: (index: number) => Promise<void>): Promise<void> {
  for (let i = from; i < to; i += atOnce)
    await Promise.all(Array.from({ length: Math.min(atOnce, to - i) }, (_, j) => work(i + j)));
}
