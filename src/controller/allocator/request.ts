import { formatIp, type IpAddress, parseIp, sameIp } from '../../address/index.ts';
import { annotations, requestPrefixes, takeoverKey } from '../../cluster/names.ts';
import { spellingHint } from '../../config/index.ts';
import type { Service } from '../../kubernetes/model.ts';
import { printable } from '../../printable.ts';
import { fail, ok, type Result } from '../../result.ts';
import { maxMessageCharacters } from './refusals.ts';

/** The addresses and pools that a Service asks for. */
export interface AddressRequest {
  /** At most one address of each family. When empty, the Service takes any address. */
  readonly addresses: readonly IpAddress[];
  /** Pools to try, in order. When empty, the pools that select the Service are tried. */
  readonly pools: readonly string[];
}

/** Names of the annotations by which a Service makes requests, without their prefix. */
export const requestNames = {
  addresses: 'loadBalancerIPs',
  pool: 'address-pool',
  sharing: 'allow-shared-ip',
} as const;

/**
 * Reads `spec.loadBalancerIP` and, under every prefix, the annotations `loadBalancerIPs` and `address-pool`. Each value is a list with commas.
 * The same request may stand in several places. Contradictory requests are an error. So are contradictory values of `allow-shared-ip`, which
 * `readSharingKeys` reads.
 */
export function readRequest(service: Service): Result<AddressRequest, string> {
  const addressText = agreedRequest(service, requestNames.addresses, service.loadBalancerIP, canonicalList);
  if (!addressText.ok) return addressText;
  const poolText = agreedRequest(service, requestNames.pool, undefined, (text) => poolNames(text).join());
  if (!poolText.ok) return poolText;
  const sharing = agreedRequest(service, requestNames.sharing, undefined, (text) => text);
  if (!sharing.ok) return sharing;

  const addresses: IpAddress[] = [];
  for (const item of splitList(addressText.value)) {
    const address = parseIp(item);
    if (!address) return fail(`the requested address ${item} is not an IP address`);
    if (addresses.some((other) => sameIp(other, address))) continue;
    const twin = addresses.find((other) => other.family === address.family);
    if (twin)
      return fail(
        `${formatIp(twin)} and ${formatIp(address)} are requested: a Service may request one address of each family`,
      );
    addresses.push(address);
  }
  return ok({ addresses, pools: poolNames(poolText.value) });
}

/** Largest number of unknown annotations that are reported one by one. A Service may carry thousands. */
const maxUnknownReported = 8;

/**
 * Finds unknown annotations under the prefixes of {@link requestPrefixes}. These annotations are most likely misspelt. Returns a sentence
 * for each of the first {@link maxUnknownReported}, and one sentence with the number of the others. Each sentence fits an event.
 */
export function unknownAnnotations(service: Service): string[] {
  const known: readonly string[] = [
    ...Object.values(requestNames),
    ...[...Object.values(annotations), takeoverKey].map(withoutPrefix),
  ];
  const unknown = requestPrefixes.flatMap((prefix) =>
    Object.keys(service.annotations)
      .filter((key) => key.startsWith(prefix))
      .map((key) => ({ key, prefix, name: key.slice(prefix.length) }))
      .filter(({ name }) => !known.includes(name))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  );
  const messages = unknown.slice(0, maxUnknownReported).map(({ key, prefix, name }) => {
    const hint = spellingHint(name, Object.values(requestNames));
    const message = `annotation ${key} is unknown${hint === undefined ? '' : `; did you mean ${prefix}${hint}?`}`;
    return printable(message, maxMessageCharacters);
  });
  const rest = unknown.length - messages.length;
  return rest > 0 ? [...messages, `${rest} more annotations are unknown`] : messages;
}

function withoutPrefix(key: string): string {
  return key.slice(requestPrefixes[0].length);
}

/** The Service's sharing keys. More than one key is a contradiction, which `readRequest` refuses. */
export function readSharingKeys(service: Service): readonly string[] {
  const keys = requestPrefixes.map(
    (prefix) => service.annotations[prefix + requestNames.sharing]?.trim() ?? '',
  );
  return [...new Set(keys)].filter((key) => key !== '');
}

/** The request of this name. Fails when two places ask for different things. An empty list asks for nothing. */
function agreedRequest(
  service: Service,
  name: string,
  field: string | undefined,
  canonical: (text: string) => string,
): Result<string | undefined, string> {
  const found = new Map<string, { where: string; text: string }>();
  const collect = (where: string, text: string | undefined) => {
    const trimmed = text?.trim() ?? '';
    const key = canonical(trimmed);
    if (key !== '' && !found.has(key)) found.set(key, { where, text: trimmed });
  };
  collect('spec.loadBalancerIP', field);
  for (const prefix of requestPrefixes)
    collect(`annotation ${prefix}${name}`, service.annotations[prefix + name]);
  const all = [...found.values()];
  if (all.length > 1)
    return fail(`conflicting requests: ${all.map(({ where, text }) => `${where} says ${text}`).join(', ')}`);
  return ok(all[0]?.text);
}

function splitList(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** Each name once, in the order of the list. An annotation can name one pool 100,000 times, and each name costs a look at the pool. */
function poolNames(text: string | undefined): string[] {
  return [...new Set(splitList(text))];
}

function canonicalList(text: string): string {
  const items = splitList(text).map((item) => {
    const address = parseIp(item);
    return address ? formatIp(address) : item;
  });
  return [...new Set(items)].sort().join(',');
}
