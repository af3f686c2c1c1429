import { SharedValues } from '../../cluster/shared-values.ts';
import type { Service } from '../../kubernetes/model.ts';

/** The properties that decide whether two Services may share an address. */
export interface SharingTerms {
  readonly namespace: string;
  /**
   * Empty when the Service shares nothing. Several keys mean that its annotations disagree. The Service then keeps the addresses that it
   * shares under any of the keys.
   */
  readonly keys: readonly string[];
  /** For example `TCP/80`. */
  readonly ports: readonly string[];
  /**
   * Empty with `externalTrafficPolicy: Cluster`. With `Local`, this is the selector of the Service, because all traffic for an address must
   * then reach the same Pods. A Service without a selector has its own name here, so it shares with no other Service.
   */
  readonly backends: string;
}

/** A Service that holds an address or asks for one. */
export interface Sharer {
  /** `namespace/name`. */
  readonly service: string;
  readonly terms: SharingTerms;
}

/** Reads the terms of Services. Most Services of a namespace have equal terms, so they share one copy. */
export class SharingTermsReader {
  readonly #terms = new SharedValues<SharingTerms>();
  readonly #lists = new SharedValues<readonly string[]>();

  /** Terms with backends differ from Service to Service, so only their lists are shared. */
  read(key: string, service: Service, keys: readonly string[]): SharingTerms {
    const { namespace } = service;
    const ports = service.ports.map(({ protocol, port }) => `${protocol}/${port}`);
    const backends = backendsOf(key, service);
    if (backends !== '') return { namespace, keys: this.#list(keys), ports: this.#list(ports), backends };
    const terms = { namespace, keys, ports, backends };
    return this.#terms.shared(JSON.stringify(terms), () => terms);
  }

  #list(list: readonly string[]): readonly string[] {
    return this.#lists.shared(JSON.stringify(list), () => list);
  }
}

function backendsOf(key: string, { selector, externalTrafficPolicy }: Service): string {
  if (externalTrafficPolicy !== 'Local') return '';
  const labels = Object.entries(selector).map(([label, value]) => `${label}=${value}`);
  return labels.sort().join(',') || `${ownBackends}${key}`;
}

/**
 * The backends of a Service without a selector begin with this, for example `service shop/web`. No selector contains a space, so no other
 * Service has equal backends.
 */
const ownBackends = 'service ';

/** Whether two states of one Service have equal terms. */
export function sameTerms(a: SharingTerms, b: SharingTerms): boolean {
  return a === b || (a.backends === b.backends && sameList(a.keys, b.keys) && sameList(a.ports, b.ports));
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

/**
 * Why a Service may not hold an address together with `holder`; `undefined` when it may. Services of different namespaces may share only if
 * `acrossNamespaces` is set. The reason never names a Service of another namespace or its key.
 */
export function sharingRefusal(
  asker: SharingTerms,
  { service, terms: holder }: Sharer,
  { acrossNamespaces }: { readonly acrossNamespaces: boolean },
): string | undefined {
  const isVisible = asker.namespace === holder.namespace;
  const other = isVisible ? service : 'a Service of another namespace';
  if (!isVisible && !acrossNamespaces)
    return `it is in use by ${other}${asker.keys.length === 0 ? '' : '; a sharing key counts within a namespace unless the pool sets share-across-namespaces'}`;
  if (!asker.keys.some((key) => holder.keys.includes(key))) {
    const isShared = isVisible && holder.keys.length > 0;
    return `it is in use by ${other}${isShared ? `, shared by the key "${holder.keys.join('", "')}"` : ''}`;
  }
  const port = commonPort(asker.ports, holder.ports);
  if (port !== undefined) return `port ${port} on it is in use by ${other}`;
  if (asker.backends === holder.backends) return undefined;
  if (asker.backends !== '' && holder.backends !== '') {
    const rule =
      asker.backends.startsWith(ownBackends) || holder.backends.startsWith(ownBackends)
        ? 'a Service without a selector shares no address'
        : 'Services that share an address need the same selector';
    return `it is in use by ${other}, which has other backends; with externalTrafficPolicy Local, ${rule}`;
  }
  return `it is in use by ${other}, which has externalTrafficPolicy ${policyOf(holder)}, and this Service has ${policyOf(asker)}: Services that share an address need the same policy`;
}

/**
 * Most Services have few ports, and a search in few ports is fast without a set. A Service without node ports can have tens of thousands of ports.
 */
const fewPorts = 16;

function commonPort(ports: readonly string[], held: readonly string[]): string | undefined {
  if (ports.length <= fewPorts || held.length <= fewPorts) return ports.find((port) => held.includes(port));
  const all = new Set(held);
  return ports.find((port) => all.has(port));
}

function policyOf({ backends }: SharingTerms): Service['externalTrafficPolicy'] {
  return backends === '' ? 'Cluster' : 'Local';
}
