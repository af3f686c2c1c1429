import type { Service } from '../../kubernetes/model.ts';

/** What decides whether two Services may hold one address. */
export interface SharingTerms {
  readonly service: string;
  readonly key: string | undefined;
  /** `TCP/80`. */
  readonly ports: readonly string[];
  /** Empty unless `externalTrafficPolicy: Local`: then traffic must end at the same Pods. */
  readonly backends: string;
}

export function sharingTerms(name: string, service: Service, key: string | undefined): SharingTerms {
  const { ports, selector, externalTrafficPolicy } = service;
  return {
    service: name,
    key,
    ports: ports.map(({ protocol, port }) => `${protocol}/${port}`),
    backends:
      externalTrafficPolicy === 'Local'
        ? Object.entries(selector)
            .map(([label, value]) => `${label}=${value}`)
            .sort()
            .join(',') || `service ${name}`
        : '',
  };
}

/** Why a Service may not join another on its address; `undefined` when it may. */
export function sharingRefusal(newcomer: SharingTerms, holder: SharingTerms): string | undefined {
  if (newcomer.key === undefined || holder.key === undefined || newcomer.key !== holder.key)
    return `it is in use by ${holder.service}${holder.key === undefined ? '' : `, shared by the key "${holder.key}"`}`;
  const port = newcomer.ports.find((each) => holder.ports.includes(each));
  if (port !== undefined) return `port ${port} on it is in use by ${holder.service}`;
  if (newcomer.backends !== holder.backends)
    return `${holder.service} on it has other backends, which externalTrafficPolicy Local does not allow`;
  return undefined;
}
