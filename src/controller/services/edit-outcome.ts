/** Finds which addresses an edit of the configuration would move, by running the allocator with the old and the new configuration. Pure. */
import { formatIp } from '../../address/index.ts';
import type { Config, Labels } from '../../config/index.ts';
import { objectKey, type Service } from '../../kubernetes/model.ts';
import { Allocator } from '../allocator/allocator.ts';
import { ServiceDecider } from './service-decider.ts';
import { ServiceStore } from './service-store.ts';

export interface AddressEffect {
  /** `namespace/name`. */
  readonly service: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Why the Service lacks an address after the edit. */
  readonly refusal?: string;
}

export interface EditedCluster {
  readonly services: readonly Service[];
  readonly namespaces: ReadonlyMap<string, Labels>;
  readonly loadBalancerClass: string | undefined;
}

/** The Services whose addresses change when the configuration changes from `before` to `after`. */
export function addressEffects(before: Config, after: Config, cluster: EditedCluster): AddressEffect[] {
  const allocator = new Allocator();
  const store = new ServiceStore();
  for (const service of cluster.services) store.set(objectKey(service), service);
  const decider = new ServiceDecider(allocator, store, {
    loadBalancerClass: cluster.loadBalancerClass,
    adoptOnly: false,
  });
  const own = store.byAge().filter((service) => decider.isOurs(service));
  const keys = own.map(objectKey);
  allocator.setNamespaces(cluster.namespaces);
  allocator.setConfig(before);
  for (const service of own) allocator.learn(service);
  decider.decide(keys);
  const addressesOf = (key: string) => allocator.holdingOf(key).map(({ address }) => formatIp(address));
  const old = new Map(keys.map((key) => [key, addressesOf(key)]));
  allocator.setConfig(after);
  decider.decide(keys);
  return keys.flatMap((key) => {
    const was = old.get(key) ?? [];
    const now = addressesOf(key);
    if (was.join() === now.join()) return [];
    const refusal = allocator.refusalOf(key)?.message;
    return [{ service: key, before: was, after: now, ...(refusal === undefined ? {} : { refusal }) }];
  });
}
