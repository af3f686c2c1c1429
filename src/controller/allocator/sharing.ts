import type { Service } from '../../kubernetes/model.ts';

/** What decides whether two Services may hold one address. */
export interface SharingTerms {
  readonly service: string;
  /** None: it shares with nobody. Several, when its annotations disagree: it keeps what it shares under any of them. */
  readonly keys: readonly string[];
  /** `TCP/80`. */
  readonly ports: readonly string[];
  /** Empty unless `externalTrafficPolicy: Local`: then traffic must end at the same Pods. */
  readonly backends: string;
}

export function sharingTerms(name: string, service: Service, keys: readonly string[]): SharingTerms {
  const { ports, selector, externalTrafficPolicy } = service;
  return {
    service: name,
    keys,
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
  if (!newcomer.keys.some((key) => holder.keys.includes(key)))
    return `it is in use by ${holder.service}${holder.keys.length === 0 ? '' : `, shared by the key "${holder.keys.join('", "')}"`}`;
  const port = newcomer.ports.find((each) => holder.ports.includes(each));
  if (port !== undefined) return `port ${port} on it is in use by ${holder.service}`;
  if (newcomer.backends === holder.backends) return undefined;
  if (newcomer.backends !== '' && holder.backends !== '')
    return `${holder.service} on it has other backends, which externalTrafficPolicy Local does not allow`;
  const policies = [policyOf(newcomer), policyOf(holder)] as const;
  return `${holder.service} on it has externalTrafficPolicy ${policies[1]} and this one ${policies[0]}: Services that share an address need the same`;
}

function policyOf({ backends }: SharingTerms): Service['externalTrafficPolicy'] {
  return backends === '' ? 'Cluster' : 'Local';
}
