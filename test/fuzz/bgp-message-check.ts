import assert from 'node:assert/strict';
import {
  type AttributeFault,
  type BgpError,
  type Decoded,
  decodeMessage,
  encodeMessage,
  type ReceiveOptions,
} from '../../src/bgp/codec/index.ts';
import type {
  AsPathSegment,
  Message,
  NlriSequence,
  OpenMessage,
  UpdateMessage,
} from '../../src/bgp/message.ts';

/** The greatest subcode that a decoder may return for each error code (RFC 4271 section 4.5, RFC 9234 section 4.2, RFC 7313 section 5). */
const greatestSubcode: Readonly<Record<number, number>> = { 1: 3, 2: 11, 3: 11, 7: 1 };
const longestData = 4096 - 21;
/** A speaker sends at most this many octets of a host or domain name, but receives longer names. */
const longestName = 64;

/**
 * Decodes the octets and checks everything that must hold for any input. An error fits into a NOTIFICATION. A message has no more elements
 * than octets. A list of prefixes has as many elements as its `length` says, all of one family. A message without faults stays the same
 * when it is encoded and decoded again. Throws an AssertionError when a check fails, and lets exceptions of the decoder through.
 */
export function checkDecode(bytes: Uint8Array, options: ReceiveOptions): 'refused' | 'with faults' | 'sound' {
  const result = decodeMessage(bytes, options);
  if (!result.ok) {
    checkError(result.error, bytes);
    return 'refused';
  }
  const { message, faults } = result.value;
  for (const fault of faults) checkFault(fault, bytes);
  if (message.kind === 'update') checkUpdate(message, bytes, options);
  if (faults.length === 0) checkRoundTrip(result.value, options);
  return faults.length === 0 ? 'sound' : 'with faults';
}

function checkError({ code, subcode, data, text }: BgpError, bytes: Uint8Array): void {
  assert.ok(subcode <= (greatestSubcode[code] ?? -1), `no decoder may return the error (${code},${subcode})`);
  assert.ok(data.length <= Math.min(longestData, Math.max(bytes.length, 2)), `${data.length} octets of data`);
  assert.ok(text.length > 0 && text.length < 200, 'the text is empty or too long for one sentence');
}

function checkFault({ attributeType, treatment, error }: AttributeFault, bytes: Uint8Array): void {
  assert.equal(error.code, 3);
  assert.ok(attributeType >= 0 && attributeType <= 255);
  assert.ok(treatment === 'discard' || treatment === 'withdraw');
  checkError(error, bytes);
}

function checkUpdate(update: UpdateMessage, bytes: Uint8Array, options: ReceiveOptions): void {
  const { attributes, withdrawn, nlri } = update;
  let elements = checkPrefixes(withdrawn, 4) + checkPrefixes(nlri, 4);
  const { mpReach, mpUnreach, asPath = [], unknown = [] } = attributes;
  if (mpReach) {
    elements += checkPrefixes(mpReach.nlri, mpReach.afi === 1 ? 4 : 6);
    assert.ok(mpReach.nextHops.length === 1 || mpReach.nextHops.length === 2);
    if (!options.extendedNextHop)
      assert.ok(mpReach.nextHops.every(({ family }) => family === (mpReach.afi === 1 ? 4 : 6)));
  }
  if (mpUnreach) elements += checkPrefixes(mpUnreach.withdrawn, mpUnreach.afi === 1 ? 4 : 6);
  for (const { asns } of asPath) elements += asns.length;
  for (const { value } of unknown) elements += value.length;
  elements += (attributes.communities?.length ?? 0) + (attributes.clusterList?.length ?? 0);
  elements += (attributes.extendedCommunities?.length ?? 0) + (attributes.largeCommunities?.length ?? 0);
  assert.ok(elements <= bytes.length, `${elements} elements of ${bytes.length} octets`);
}

function checkPrefixes(prefixes: NlriSequence, family: 4 | 6): number {
  const bits = family === 4 ? 32 : 128;
  let count = 0;
  for (const { length, value, family: of } of prefixes) {
    count++;
    const hostBits = BigInt(bits - length);
    if (
      of !== family ||
      length > bits ||
      (value >> hostBits) << hostBits !== value ||
      value >> BigInt(bits) !== 0n
    )
      assert.fail(`${value}/${length} is not a prefix of IPv${family}`);
  }
  assert.equal(count, prefixes.length);
  return count;
}

/** Checks that a message without faults stays the same when it is encoded and decoded again. */
function checkRoundTrip({ message }: Decoded, options: ReceiveOptions): void {
  const bytes = encodeMessage(message, options);
  if (bytes.length > options.receiveLimit) return;
  const again = decodeMessage(bytes, options);
  assert.ok(again.ok, again.ok ? '' : `its encoding is refused: ${again.error.text}`);
  assert.deepEqual(again.value.faults, []);
  assert.deepEqual(comparable(again.value.message, options), comparable(message, options));
}

/** The message with its prefixes as arrays, so that equal messages are deeply equal. */
function comparable(message: Message, { fourOctetAs }: ReceiveOptions): object {
  if (message.kind === 'open') return withShortNames(message);
  if (message.kind !== 'update') return message;
  const { mpReach, mpUnreach, unknown = [], asPath = [], ...plain } = message.attributes;
  return {
    withdrawn: [...message.withdrawn],
    nlri: [...message.nlri],
    plain,
    asPath: fourOctetAs ? asPath : asesOutside(asPath),
    unknown: unknown.toSorted((a, b) => a.type - b.type),
    reach: mpReach && { ...mpReach, nlri: [...mpReach.nlri] },
    unreach: mpUnreach && { ...mpUnreach, withdrawn: [...mpUnreach.withdrawn] },
  };
}

/** The OPEN with its host and domain names cut to the octets that an encoded name may have. */
export function withShortNames(open: OpenMessage): OpenMessage {
  const capabilities = open.capabilities.map((capability) =>
    capability.kind === 'fqdn'
      ? { ...capability, host: shortName(capability.host), domain: shortName(capability.domain) }
      : capability,
  );
  return { ...open, capabilities };
}

/** The longest beginning of the name that has at most 64 octets. The cut is at a character boundary. */
function shortName(name: string): string {
  let short = '';
  for (const character of name) {
    if (Buffer.byteLength(short + character) > longestName) break;
    short += character;
  }
  return short;
}

/**
 * The AS numbers outside confederation segments, in their order. The AS numbers of a set are marked. AS4_PATH preserves this list, although
 * it leaves out confederation segments and joins sequences.
 */
export function asesOutside(path: readonly AsPathSegment[]): (number | string)[] {
  return path.flatMap(({ type, asns }): (number | string)[] =>
    type === 'sequence' ? [...asns] : type === 'set' ? asns.map((asn) => `${asn} in a set`) : [],
  );
}
