/**
 * Classic BPF programs for sockets. An instruction (`struct sock_filter`): `code 2 | jump if true 1 | jump if false 1 | operand 4`, in the
 * machine's byte order. The program returns how many octets of the packet to keep.
 */
import { isLittleEndian } from './libc.ts';

/**
 * SKF_NET_OFF. An offset plus this constant counts from the IP header. A plain offset counts from the header of the transport protocol on a UDP
 * or TCP socket, and from the IP header on a packet socket of SOCK_DGRAM.
 */
export const networkHeader = -0x10_0000;
export const loadWord = 0x20;
export const loadHalf = 0x28;
export const loadOctet = 0x30;
/** Loads the length in octets of the IPv4 header that begins at the operand. `loadHalfBehindHeader` adds this length to its own operand. */
export const loadHeaderLength = 0xb1;
export const loadHalfBehindHeader = 0x48;
export const jumpIfEqual = 0x15;
export const jumpIfGreaterOrEqual = 0x35;
/** Ends the program. The operand is its result. */
const returnOperand = 0x06;

export type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

export const acceptPacket: Instruction = [returnOperand, 0, 0, 0xffff_ffff];
export const dropPacket: Instruction = [returnOperand, 0, 0, 0];

/** Offset of the TTL or hop limit in the IP header. */
const ttlAt = { 4: 8, 6: 7 } as const;
/** Offset of the source address in the IP header. */
const sourceAt = { 4: 12, 6: 8 } as const;

/** Drops a packet with a smaller TTL or hop limit. Otherwise the program goes on. */
export function requireTtl(family: 4 | 6, minimumTtl: number): Instruction[] {
  return [
    [loadOctet, 0, 0, networkHeader + ttlAt[family]],
    [jumpIfGreaterOrEqual, 1, 0, minimumTtl],
    dropPacket,
  ];
}

/** Applies the instructions only to packets from this address. Other packets skip them. `source` has the octets of the address. */
export function onlyFrom(
  family: 4 | 6,
  source: Uint8Array,
  instructions: readonly Instruction[],
): Instruction[] {
  const view = new DataView(source.buffer, source.byteOffset, source.length);
  const comparisons: Instruction[] = [];
  for (let at = 0; at < source.length; at += 4) {
    const comparisonsLeft = (source.length - at) / 4 - 1;
    comparisons.push(
      [loadWord, 0, 0, networkHeader + sourceAt[family] + at],
      [jumpIfEqual, 0, 2 * comparisonsLeft + instructions.length, view.getUint32(at)],
    );
  }
  return [...comparisons, ...instructions];
}

export function encodeProgram(program: readonly Instruction[]): Uint8Array {
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
