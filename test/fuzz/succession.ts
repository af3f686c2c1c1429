/** Fuzzes the decoders of the data that one speaker process passes on to another: records, and the BGP and BFD sessions in them. */
import assert from 'node:assert/strict';
import type { Prefix } from '../../src/address/index.ts';
import {
  decodePassedSession,
  encodePassedSession as encodeBfdSession,
} from '../../src/bfd/codec/passed-session.ts';
import { decodePassedItem, encodePassedPrefixes, encodePassedSession } from '../../src/bgp/codec/index.ts';
import type { Capability, OpenMessage } from '../../src/bgp/message.ts';
import { decodeRecord, encodeRecord } from '../../src/succession/record.ts';
import { withShortNames } from './bgp-message-check.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';
import type { FuzzTarget, Meter } from './target.ts';

export const succession: FuzzTarget = {
  name: 'succession',
  weight: 10,
  budget: { cpuMs: 5, heapOctets: 4 * 1024 * 1024 },
  expectedVerdicts: ['record', 'BGP session', 'prefixes', 'BFD session', 'refused'],
  run(random, meter) {
    switch (random.below(3)) {
      case 0:
        return record(random, meter);
      case 1:
        return bgpItem(random, meter);
      default:
        return bfdSession(random, meter);
    }
  },
};

function changed(octets: Uint8Array, random: Random): Uint8Array {
  if (random.oneIn(10)) return Uint8Array.from(random.octets(random.below(200)));
  return random.oneIn(4) ? octets : Uint8Array.from(mutate(octets, random));
}

function record(random: Random, meter: Meter): string {
  const known = random.pick([
    { kind: 'hello', version: random.below(3) },
    { kind: 'ready' },
    { kind: 'item', octets: Uint8Array.from(random.octets(random.below(20))) },
    { kind: 'offered', items: random.uint32() },
    { kind: 'accepted' },
    { kind: 'committed' },
  ] as const);
  const decoded = meter.measure(() => decodeRecord(changed(encodeRecord(known), random)));
  if (!decoded.ok) return 'refused';
  assert.deepEqual(decodeRecord(encodeRecord(decoded.value)), decoded);
  return 'record';
}

function bgpItem(random: Random, meter: Meter): string {
  const prefixes = Array.from({ length: random.below(5) }, () => ({
    ...{ family: 4 as const, value: BigInt(random.below(2 ** 24)) << 8n, length: 24 },
  }));
  const [list] = encodePassedPrefixes(random.below(4), prefixes);
  const session = encodePassedSession({
    connectionKey: Uint8Array.from(random.octets(32)),
    initiator: random.pick(['local', 'remote'] as const),
    sentOpen: open(random),
    receivedOpen: open(random),
    unread: Uint8Array.from(random.octets(random.below(40))),
  });
  const octets = changed(list && random.oneIn(2) ? list : session, random);
  const decoded = meter.measure(() => decodePassedItem(octets));
  if (!decoded.ok) return 'refused';
  if (decoded.value.kind === 'prefixes') {
    checkPrefixes(decoded.value.session, [...decoded.value.prefixes]);
    return 'prefixes';
  }
  const again = decodePassedItem(encodePassedSession(decoded.value.session));
  assert.ok(again.ok && again.value.kind === 'session', 'the encoding of a decoded session is refused');
  const { sentOpen, receivedOpen, ...rest } = decoded.value.session;
  assert.deepEqual(again.value.session, {
    ...rest,
    sentOpen: withShortNames(sentOpen),
    receivedOpen: withShortNames(receivedOpen),
  });
  return 'BGP session';
}

/** Checks that passed prefixes stay the same when they are encoded and decoded again. */
function checkPrefixes(session: number, prefixes: readonly Prefix[]): void {
  for (const { family, length } of prefixes)
    assert.ok(length <= (family === 4 ? 32 : 128), 'a prefix is longer than its address');
  const again = [...encodePassedPrefixes(session, prefixes)].map((item) => {
    const decoded = decodePassedItem(item);
    assert.ok(decoded.ok && decoded.value.kind === 'prefixes', 'the encoding of decoded prefixes is refused');
    assert.equal(decoded.value.session, session);
    return [...decoded.value.prefixes];
  });
  assert.deepEqual(again.flat(), prefixes);
}

function open(random: Random): OpenMessage {
  return {
    ...{ kind: 'open', version: 4, myAs: 64500, routerId: 1 + random.below(1000) },
    holdTimeSeconds: 3 + random.below(1000),
    capabilities: [
      { kind: 'route-refresh' },
      { kind: 'four-octet-as', asn: 64500 },
      ...(random.oneIn(4) ? [named(random)] : []),
    ],
  };
}

/**
 * An FQDN capability with a host name of up to 100 octets. Its kind is `unknown`, because the encoder cuts the names in a capability of kind
 * `fqdn` to 64 octets.
 */
function named(random: Random): Capability {
  const host = Buffer.from('é'.repeat(random.below(51)));
  return { kind: 'unknown', code: 73, value: Uint8Array.of(host.length, ...host, 0) };
}

function bfdSession(random: Random, meter: Meter): string {
  const octets = encodeBfdSession({
    remote: {
      ...{ diagnostic: 0, state: 'Up', poll: false, final: false, demand: random.oneIn(2) },
      ...{ controlPlaneIndependent: random.oneIn(2), detectMultiplier: 1 + random.below(255) },
      ...{ myDiscriminator: 1 + random.below(1000), yourDiscriminator: 1 + random.below(1000) },
      ...{ desiredMinTxInterval: random.uint32(), requiredMinRxInterval: random.uint32() },
      requiredMinEchoRxInterval: 0,
    },
    sentSequence: random.uint32(),
    receivedSequence: random.oneIn(2) ? random.uint32() : undefined,
    path: JSON.stringify(['192.0.2.1', null, null, 'single-hop']),
  });
  const decoded = meter.measure(() => decodePassedSession(changed(octets, random)));
  if (!decoded.ok) return 'refused';
  assert.deepEqual(decodePassedSession(encodeBfdSession(decoded.value)), decoded);
  return 'BFD session';
}
