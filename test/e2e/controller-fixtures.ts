import assert from 'node:assert/strict';
import type { ControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';

export const configMaps = '/api/v1/namespaces/bellman-system/configmaps';
export const services = '/api/v1/namespaces/default/services';

export interface ServiceObject {
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] } };
}

interface ConfigMapObject {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
}

interface EventList {
  readonly items: readonly {
    readonly type: string;
    readonly reason: string;
    readonly message: string;
    readonly count: number;
    readonly reportingComponent: string;
    readonly involvedObject: { readonly kind: string; readonly name: string };
  }[];
}

/** Writes the configuration as an editor does. Creates the ConfigMap if it is missing. */
export async function writeConfig(plane: ControlPlane, text: string): Promise<void> {
  const body = { metadata: { name: 'config' }, data: { config: text } };
  await plane.merge(`${configMaps}/config`, body).catch(() => plane.create(configMaps, body));
}

export async function annotation(plane: ControlPlane, name: string): Promise<string | undefined> {
  const { metadata } = await plane.get<ConfigMapObject>(`${configMaps}/config`);
  return metadata.annotations?.[`bellman.dev/${name}`];
}

export async function configStatus(plane: ControlPlane, status: 'active' | 'stale'): Promise<void> {
  await eventually(
    `the ConfigMap to be ${status}`,
    async () => (await annotation(plane, 'config-status')) === status,
  );
}

export async function makeService(
  plane: ControlPlane,
  name: string,
  spec: object = {},
  annotations: Readonly<Record<string, string>> = {},
): Promise<void> {
  await plane.create(services, {
    metadata: { name, annotations },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
  });
}

export async function addresses(plane: ControlPlane, name: string): Promise<string[]> {
  const { status } = await plane.get<ServiceObject>(`${services}/${name}`);
  return (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip);
}

export async function assigned(plane: ControlPlane, name: string, ...ips: string[]): Promise<void> {
  try {
    await eventually(`${name} to have ${ips}`, async () => `${await addresses(plane, name)}` === `${ips}`);
  } catch {
    assert.deepEqual(await addresses(plane, name), ips);
  }
}

/**
 * The controller's events of an object, as `Type Reason message`. kube-apiserver records events on Services too: it reports a cluster IP as not
 * allocated when its cache shows the Service before the IPAddress.
 */
export async function events(plane: ControlPlane, kind: string, name: string): Promise<string[]> {
  const { items } = await plane.get<EventList>('/api/v1/events');
  return items
    .filter(
      ({ reportingComponent, involvedObject }) =>
        reportingComponent === 'bellman-controller' &&
        involvedObject.kind === kind &&
        involvedObject.name === name,
    )
    .map(({ type, reason, message }) => `${type} ${reason} ${message}`);
}

export async function event(plane: ControlPlane, kind: string, name: string, pattern: RegExp): Promise<void> {
  await eventually(`an event ${pattern} on ${kind} ${name}`, async () =>
    (await events(plane, kind, name)).some((text) => pattern.test(text)),
  );
}

/** Creates many Services, a few at a time. */
export async function makeServices(plane: ControlPlane, count: number, prefix = 's'): Promise<void> {
  let next = 0;
  // There are fewer node ports than Services.
  const spec = { allocateLoadBalancerNodePorts: false };
  const worker = async () => {
    while (next < count) await makeService(plane, `${prefix}${next++}`, spec);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

export async function allServices(plane: ControlPlane): Promise<readonly ServiceObject[]> {
  return (await plane.get<{ items: readonly ServiceObject[] }>(services)).items;
}
