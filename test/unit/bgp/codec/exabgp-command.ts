/** Reads ExaBGP commands that announce or withdraw unicast routes, and returns the UPDATE that each command asks for. */
import { parseIp, parsePrefix } from '../../../../src/address/index.ts';
import type { AsPathSegment, Nlri, PathAttributes, UpdateMessage } from '../../../../src/bgp/message.ts';
import { octets } from './wire.ts';

type Draft = { -readonly [K in keyof PathAttributes]: PathAttributes[K] };

const empty: UpdateMessage = { kind: 'update', withdrawn: [], nlri: [], attributes: {} };
const ipv4 = { afi: 1, safi: 1 };
const ipv6 = { afi: 2, safi: 1 };

/**
 * Returns the UPDATE that the command asks for, or `undefined` when the command names a family, an attribute or a next hop that this speaker
 * does not support.
 */
export function meaningOf(command: string): UpdateMessage | undefined {
  const words = tokens(command);
  const eor = /^announce eor (ipv4|ipv6) unicast$/.exec(command);
  if (eor?.[1] === 'ipv4') return empty;
  if (eor) return { ...empty, attributes: { mpUnreach: { ...ipv6, withdrawn: [] } } };
  const head = /^(announce|withdraw) (route|ipv6 unicast) (\S+)/.exec(command);
  const group = /^announce attributes .* nlri (.*)$/.exec(command);
  const text = head ? [head[3] ?? ''] : group?.[1]?.split(' ');
  if (!text || words.some((word) => beyond.has(word))) return undefined;
  const attributes: Draft = {};
  const pathId = quad(after(words, 'path-information'));
  const nlri = text.map((prefix): Nlri => {
    const parsed = parsePrefix(prefix);
    if (!parsed) throw new Error(`not a prefix: ${prefix}`);
    return pathId === undefined ? parsed : { ...parsed, pathId };
  });
  const isIpv4 = nlri[0]?.family === 4;
  if (head?.[1] === 'withdraw')
    return isIpv4
      ? { ...empty, withdrawn: nlri }
      : { ...empty, attributes: { mpUnreach: { ...ipv6, withdrawn: nlri } } };
  const nextHop = parseIp(after(words, 'next-hop') ?? '');
  if (!nextHop || (!isIpv4 && nextHop.family === 4)) return undefined;
  readAttributes(words, attributes);
  attributes.asPath ??= [];
  const isClassic = isIpv4 && nextHop.family === 4;
  if (isClassic) return { ...empty, nlri, attributes: { ...attributes, nextHop } };
  const mpReach = { ...(isIpv4 ? ipv4 : ipv6), nextHops: [nextHop], nlri };
  return { ...empty, attributes: { ...attributes, mpReach } };
}

/** A command with one of these words asks for something that this speaker does not support. */
const beyond = new Set(['rd', 'label', 'attribute', 'bgp-prefix-sid', 'self']);

function readAttributes(words: readonly string[], attributes: Draft): void {
  const number = (name: string) => {
    const word = after(words, name);
    return word === undefined ? undefined : Number(word);
  };
  const origin = after(words, 'origin');
  if (origin === 'igp' || origin === 'egp' || origin === 'incomplete') attributes.origin = origin;
  const med = number('med');
  if (med !== undefined) attributes.med = med;
  const localPref = number('local-preference');
  if (localPref !== undefined) attributes.localPref = localPref;
  if (words.includes('atomic-aggregate')) attributes.atomicAggregate = true;
  const [asn, address] = after(words, 'aggregator')?.split(':') ?? [];
  const aggregator = parseIp(address ?? '');
  if (aggregator) attributes.aggregator = { asn: Number(asn), address: aggregator };
  const asns = listAfter(words, 'as-path')?.map(Number);
  if (asns) attributes.asPath = [{ type: 'sequence', asns } satisfies AsPathSegment];
  const communities = listAfter(words, 'community')?.map((community) => {
    const [high = 0, low = 0] = community.split(':').map(Number);
    return high * 65536 + low;
  });
  if (communities) attributes.communities = communities;
  const large = listAfter(words, 'large-community')?.map((community) => {
    const [a = 0, b = 0, c = 0] = community.split(':').map(Number);
    return [a, b, c] as const;
  });
  if (large) attributes.largeCommunities = large;
  const extended = listAfter(words, 'extended-community')?.map(extendedCommunity);
  if (extended) attributes.extendedCommunities = extended;
  const originatorId = quad(after(words, 'originator-id'));
  if (originatorId !== undefined) attributes.originatorId = originatorId;
  const clusterList = listAfter(words, 'cluster-list')?.map((cluster) => quad(cluster) ?? 0);
  if (clusterList) attributes.clusterList = clusterList;
}

/**
 * Encodes an extended community such as `target:64500:7` or `target:192.0.2.1:7`. An AS number of two octets and an IPv4 address have
 * different wire forms (RFC 4360 sections 3 to 5). After the kind `l2info`, four numbers follow.
 */
function extendedCommunity(text: string): Uint8Array {
  const [kind = '', administrator = '', assigned = ''] = text.split(':');
  const subtypes: Readonly<Record<string, string>> = { target: '02', origin: '03' };
  const subtype = subtypes[kind];
  const word = (value: number, width: number) => value.toString(16).padStart(2 * width, '0');
  const value = quad(assigned) ?? Number(assigned);
  if (kind === 'redirect') return octets(`8008${word(Number(administrator), 2)}${word(value, 4)}`);
  if (kind === 'l2info') {
    const [, encapsulation, control, mtu, preference] = text.split(':').map(Number);
    return octets(
      `800a${word(encapsulation ?? 0, 1)}${word(control ?? 0, 1)}${word(mtu ?? 0, 2)}${word(preference ?? 0, 2)}`,
    );
  }
  if (!subtype) throw new Error(`not an extended community: ${text}`);
  const four = quad(administrator);
  return four === undefined
    ? octets(`00${subtype}${word(Number(administrator), 2)}${word(value, 4)}`)
    : octets(`01${subtype}${word(four, 4)}${word(value, 2)}`);
}

/** Splits a command into words. A bracketed list is one word. */
function tokens(command: string): string[] {
  return command.match(/\[[^\]]*\]|\S+/g) ?? [];
}

function after(words: readonly string[], name: string): string | undefined {
  const index = words.indexOf(name);
  return index < 0 ? undefined : words[index + 1];
}

function listAfter(words: readonly string[], name: string): string[] | undefined {
  return after(words, name)?.replaceAll(/[[\]]/g, '').trim().split(/\s+/);
}

/** A dotted quad as a number. */
function quad(text: string | undefined): number | undefined {
  const parsed = parseIp(text ?? '');
  return parsed?.family === 4 ? Number(parsed.value) : undefined;
}
