import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { formatIp, parseIp } from '../../../../src/address/index.ts';
import { decodeMessage, encodeMessage, type ReceiveOptions } from '../../../../src/bgp/codec/index.ts';
import type { UpdateMessage } from '../../../../src/bgp/message.ts';
import { checkDecode } from '../../../fuzz/bgp-message-check.ts';
import { meaningOf } from './exabgp-command.ts';
import { decodedUpdate, hex, internal, marker, message, number, octets, prefixes, readable } from './wire.ts';

/** Messages of ExaBGP, with the commands that made them and with ExaBGP's own decoding. The file is not part of this project. */
const file = `${process.env.BELLMAN_VECTORS ?? ''}/exabgp_vectors.json`;
const skip = existsSync(file) ? false : 'BELLMAN_VECTORS names no folder with exabgp_vectors.json';

interface ExaUpdate {
  readonly attribute?: Readonly<Record<string, unknown>>;
  readonly announce?: Readonly<Record<string, Readonly<Record<string, readonly ExaNlri[]>>>>;
  readonly withdraw?: Readonly<Record<string, readonly ExaNlri[]>>;
}
interface ExaNlri {
  readonly nlri: string;
  readonly 'path-information'?: string;
}
interface Vector {
  readonly file: string;
  readonly kind?: string;
  readonly cmd?: string;
  readonly raw: string;
  readonly json?: { readonly neighbor: { readonly message?: { readonly update?: ExaUpdate } } };
}

function vectors(): { encode: readonly Vector[]; decode: readonly Vector[] } {
  // Extended communities are numbers of 64 bits, which JSON.parse would round.
  const text = readFileSync(file, 'utf8').replaceAll(/"value": (\d{10,})/g, '"value": "$1"');
  return JSON.parse(text) as { encode: Vector[]; decode: Vector[] };
}

/** The session options of the ExaBGP test that the vector comes from. */
function optionsOf({ file: from, cmd, json }: Vector): ReceiveOptions {
  const hasPathId = JSON.stringify([cmd, json]).includes('path-information');
  return {
    ...internal,
    fourOctetAs: !from.includes('no-asn4'),
    extendedNextHop: from.includes('extended-nexthop'),
    receiveLimit: 65535,
    ...(hasPathId ? { addPath: [{ afi: 1, safi: 1 }] } : {}),
  };
}

const families: readonly string[] = ['ipv4 unicast', 'ipv6 unicast'];

/** ExaBGP's decoding of an UPDATE, or `undefined` when the UPDATE names no family or a family that this codec does not decode. */
function expectedOf(update: ExaUpdate): object | undefined {
  const { attribute = {}, announce = {}, withdraw = {} } = update;
  const named = [...Object.keys(announce), ...Object.keys(withdraw)];
  if (named.length === 0 || named.some((family) => !families.includes(family))) return undefined;
  const announced = Object.entries(announce).flatMap(([, hops]) =>
    Object.entries(hops).map(([hop, nlri]) => ({ hop, nlri: nlri.map(nlriText) })),
  );
  return {
    announced,
    withdrawn: Object.values(withdraw).flatMap((nlri) => nlri.map(nlriText)),
    attributes: Object.fromEntries(
      Object.entries(attribute)
        .filter(([name]) => name !== 'next-hop')
        .map(([name, value]) => [name, attributeText(name, value)]),
    ),
  };
}

function nlriText({ nlri, 'path-information': pathId }: ExaNlri): string {
  const id = parseIp(pathId ?? '');
  return id ? `${id.value}@${nlri}` : nlri;
}

function attributeText(name: string, value: unknown): string {
  if (name === 'as-path')
    return Object.values(value as Record<string, { element: string; value: number[] }>)
      .map((segment) => `${segment.element.replace('as-', '')} ${segment.value.join(' ')}`)
      .join(',');
  if (name === 'extended-community')
    return (value as { value: string | number }[]).map((one) => BigInt(one.value).toString()).join(',');
  if (name === 'community' || name === 'large-community')
    return (value as number[][]).map((parts) => parts.join(':')).join(',');
  return String(value);
}

/** Our decoding, in the form of `expectedOf()`. */
function viewOf({ withdrawn, nlri, attributes }: UpdateMessage): object {
  const { mpReach, mpUnreach, nextHop, origin, asPath = [], med, localPref, ...rest } = attributes;
  const view: Record<string, string> = {};
  if (origin) view.origin = origin;
  if (asPath.length > 0)
    view['as-path'] = asPath.map(({ type, asns }) => `${type} ${asns.join(' ')}`).join(',');
  if (med !== undefined) view.med = String(med);
  if (localPref !== undefined) view['local-preference'] = String(localPref);
  if (rest.communities)
    view.community = rest.communities.map((one) => `${one >>> 16}:${one & 0xffff}`).join(',');
  if (rest.largeCommunities)
    view['large-community'] = rest.largeCommunities.map((one) => one.join(':')).join(',');
  if (rest.extendedCommunities)
    view['extended-community'] = rest.extendedCommunities
      .map((one) => BigInt(`0x${hex(one)}`).toString())
      .join(',');
  for (const unknown of rest.unknown ?? [])
    view[`attribute-0x${number(unknown.type, 1)}-0x${number(unknown.flags, 1)}`] = `0x${hex(unknown.value)}`;
  const announced: object[] = [];
  if (nextHop && nlri.length > 0) announced.push({ hop: formatIp(nextHop), nlri: prefixes(nlri) });
  const [hop] = mpReach?.nextHops ?? [];
  if (mpReach && hop) announced.push({ hop: formatIp(hop), nlri: prefixes(mpReach.nlri) });
  return {
    announced,
    withdrawn: [...prefixes(withdrawn), ...prefixes(mpUnreach?.withdrawn ?? [])],
    attributes: view,
  };
}

/** UPDATEs that ExaBGP accepts although the RFCs forbid them. */
const otherwise: readonly { readonly of: RegExp; readonly verdict: string; readonly why: string }[] = [
  {
    of: /attribute \[0x99 0x[67]0/,
    verdict: '3/2',
    why: 'an unknown well-known attribute (RFC 4271 section 6.3)',
  },
  {
    of: /ipv6 unicast dead:beef.* next-hop 170\.170\.170\.170/,
    verdict: '3/9',
    why: 'neither RFC 4760 nor RFC 8950 allows an IPv4 next hop for IPv6',
  },
];
/** Commands whose next hop is not a host address. Such a next hop is a fault, but the rest of the UPDATE is still decoded. */
const strangeNextHops = /next-hop (127\.0\.0\.1|255\.255\.255\.255|self|0\.0\.0\.0) /;

test("decodeMessage() decodes ExaBGP's messages as ExaBGP does", { skip }, (t) => {
  let compared = 0;
  for (const vector of vectors().encode) {
    const update = vector.json?.neighbor.message?.update;
    const expected = update && expectedOf(update);
    if (!expected) continue;
    const exception = otherwise.find(({ of }) => of.test(vector.cmd ?? ''));
    const decoded = decodeMessage(octets(vector.raw), optionsOf(vector));
    if (exception) {
      assert.ok(!decoded.ok, exception.why);
      assert.equal(`${decoded.error.code}/${decoded.error.subcode}`, exception.verdict, exception.why);
      continue;
    }
    assert.ok(decoded.ok && decoded.value.message.kind === 'update', vector.cmd);
    const faults = decoded.value.faults.map(({ error }) => `${error.code}/${error.subcode}`);
    assert.deepEqual(faults, strangeNextHops.test(vector.cmd ?? '') ? ['3/8'] : [], vector.cmd);
    assert.deepEqual(viewOf(decoded.value.message), expected, `${vector.cmd} ${vector.raw}`);
    compared++;
  }
  t.diagnostic(`${compared} messages compared with ExaBGP's own decoding`);
  assert.ok(compared > 120, `only ${compared} messages were compared`);
});

interface RawAttribute {
  readonly type: number;
  readonly text: string;
}

/**
 * Splits an UPDATE into its attributes and the octets around them. Leaves out the length of each attribute, because a length has two valid
 * forms.
 */
function rawAttributes(bytes: Uint8Array): { around: string; attributes: RawAttribute[] } {
  const at = 21 + (bytes[19] ?? 0) * 256 + (bytes[20] ?? 0);
  const end = at + 2 + (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
  const attributes: RawAttribute[] = [];
  for (let from = at + 2; from < end; ) {
    const flags = bytes[from] ?? 0;
    const type = bytes[from + 1] ?? 0;
    const isLong = (flags & 0x10) !== 0;
    const length = isLong ? (bytes[from + 2] ?? 0) * 256 + (bytes[from + 3] ?? 0) : (bytes[from + 2] ?? 0);
    const valueAt = from + (isLong ? 4 : 3);
    attributes.push({
      type,
      text: `${flags & ~0x10} ${type} ${hex(bytes.subarray(valueAt, valueAt + length))}`,
    });
    from = valueAt + length;
  }
  return { around: hex(bytes.subarray(19, at)) + hex(bytes.subarray(end)), attributes };
}

test("encodeMessage() encodes ExaBGP's commands to ExaBGP's octets", { skip }, (t) => {
  let same = 0;
  let reordered = 0;
  for (const vector of vectors().encode) {
    const meaning = vector.cmd === undefined ? undefined : meaningOf(vector.cmd);
    if (!meaning || vector.raw.slice(36, 38) !== '02') continue;
    const options = optionsOf(vector);
    const theirs = octets(vector.raw);
    const decoded = decodedUpdate(theirs, options);
    // ExaBGP adds a link-local next hop that its command does not name.
    if ((decoded.attributes.mpReach?.nextHops.length ?? 0) > 1) continue;
    assert.deepEqual(readable(decoded), readable(meaning), vector.cmd);
    const ours = encodeMessage(meaning, options);
    if (hex(ours) === hex(theirs)) {
      same++;
      continue;
    }
    // Our encoder puts MP_REACH_NLRI and MP_UNREACH_NLRI first (RFC 7606 section 5.1) and uses short lengths where they suffice.
    const { attributes, around } = rawAttributes(ours);
    const other = rawAttributes(theirs);
    const sorted = (list: RawAttribute[]) => list.toSorted((x, y) => x.type - y.type).map(({ text }) => text);
    assert.deepEqual(
      sorted(attributes),
      sorted(other.attributes),
      `${vector.cmd}\n${hex(ours)}\n${vector.raw}`,
    );
    assert.equal(around, other.around, vector.cmd);
    reordered++;
  }
  t.diagnostic(`${same} messages have the same octets, ${reordered} have their attributes in another order`);
  assert.ok(same > 150, `only ${same} messages have the same octets`);
});

/**
 * Returns a vector as a whole message. The vector may be a whole message, the body of an UPDATE, or a single NLRI. For a single NLRI, the
 * result is `undefined`.
 */
function asMessage({ raw, kind = '' }: Vector): Uint8Array | undefined {
  const text = raw.replaceAll(/\s/g, '').toLowerCase();
  if (text.startsWith(marker)) return octets(text);
  return kind.startsWith('update') ? message(2, text) : undefined;
}

test('decodeMessage() passes checkDecode() with all messages of ExaBGP, which include other families and types', {
  skip,
}, (t) => {
  const { encode, decode } = vectors();
  const verdicts: Record<string, number> = {};
  for (const vector of [...encode, ...decode]) {
    const bytes = asMessage(vector);
    if (!bytes) continue;
    const verdict = checkDecode(bytes, optionsOf(vector));
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
  }
  t.diagnostic(JSON.stringify(verdicts));
  assert.ok((verdicts.sound ?? 0) > 300);
});
