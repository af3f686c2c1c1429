/**
 * The generalized TTL security mechanism for a listener (RFC 5082 section 3). The kernel's own option, IP_MINTTL, sets one minimum per
 * socket. Until a connection is accepted, the listener's minimum applies to the segments of that connection, whichever peer sends them.
 * Each peer has a minimum of its own, so this classic BPF program compares TTL and source address of every segment, from the first SYN on.
 * An accepted connection inherits the program.
 *
 * An instruction (`struct sock_filter`): `code 2 | jump if true 1 | jump if false 1 | operand 4`, in the machine's byte order.
 */
import { type Family, ipToBytes } from '../../address/index.ts';
import { isLittleEndian } from '../../linux/libc.ts';
import type { AcceptedPeer } from './transport.ts';

/** SKF_NET_OFF. An offset plus this constant counts from the IP header; a plain offset counts from the TCP header. */
const networkHeader = -0x10_0000;
const loadWord = 0x20;
const loadOctet = 0x30;
const jumpIfEqual = 0x15;
const jumpIfGreaterOrEqual = 0x35;
const answer = 0x06;
const accept = 0xffff_ffff;
const drop = 0;

/** Offsets in the IP header: of the TTL or hop limit, and of the source address. */
const layouts: Readonly<Record<Family, { readonly ttl: number; readonly source: number }>> = {
  4: { ttl: 8, source: 12 },
  6: { ttl: 7, source: 8 },
};

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

/** The program for peers of the family; `undefined` when all of them may send with any TTL. */
export function ttlFilter(family: Family, peers: readonly AcceptedPeer[]): Uint8Array | undefined {
  const program: Instruction[] = [];
  for (const { address, minimumTtl } of minimumPerAddress(peers))
    program.push(...rule(family, address, minimumTtl));
  if (program.length === 0) return undefined;
  program.push([answer, 0, 0, accept]);
  return encode(program);
}

/**
 * Finds one minimum for each address. When several peers share address and interface, the minimum of the first peer applies, and so does
 * its password. When peers on two interfaces share a link-local address, the lower minimum applies, because the program does not see the
 * interface.
 */
function minimumPerAddress(peers: readonly AcceptedPeer[]): { address: Uint8Array; minimumTtl: number }[] {
  const byLink = new Map<string, AcceptedPeer>();
  for (const peer of peers) {
    const key = `${peer.address.value} ${peer.interface ?? ''}`;
    if (!byLink.has(key)) byLink.set(key, peer);
  }
  const byAddress = new Map<bigint, { address: Uint8Array; minimumTtl: number }>();
  for (const { address, minimumTtl = 0 } of byLink.values()) {
    const lower = Math.min(minimumTtl, byAddress.get(address.value)?.minimumTtl ?? minimumTtl);
    byAddress.set(address.value, { address: ipToBytes(address), minimumTtl: lower });
  }
  return [...byAddress.values()].filter(({ minimumTtl }) => minimumTtl > 0);
}

/**
 * The instructions for one peer. They end the program if the segment comes from the peer. Otherwise the program goes on with the next rule.
 */
function rule(family: Family, address: Uint8Array, minimumTtl: number): Instruction[] {
  const { ttl, source } = layouts[family];
  const view = new DataView(address.buffer, address.byteOffset, address.length);
  const judgement: Instruction[] = [
    [loadOctet, 0, 0, networkHeader + ttl],
    [jumpIfGreaterOrEqual, 1, 0, minimumTtl],
    [answer, 0, 0, drop],
    [answer, 0, 0, accept],
  ];
  const instructions: Instruction[] = [];
  for (let at = 0; at < address.length; at += 4) {
    const comparisonsLeft = (address.length - at) / 4 - 1;
    instructions.push(
      [loadWord, 0, 0, networkHeader + source + at],
      [jumpIfEqual, 0, 2 * comparisonsLeft + judgement.length, view.getUint32(at)],
    );
  }
  return [...instructions, ...judgement];
}

function encode(program: readonly Instruction[]): Uint8Array {
  const octets = new Uint8Array(8 * program.length);
  const view = new DataView(octets.buffer);
  program.forEach(([code, ifTrue, ifFalse, operand], index) => {
    const at = 8 * index;
    view.setUint16(at, code, isLittleEndian);
    view.setUint8(at + 2, ifTrue);
    view.setUint8(at + 3, ifFalse);
    view.setUint32(at + 4, operand >>> 0, isLittleEndian);
  });
  return octets;
}
