/** Reads unsigned numbers in network byte order. An octet beyond the end reads as 0, so callers check their offsets. */

export function readUint8(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

export function readUint16(bytes: Uint8Array, at: number): number {
  return (readUint8(bytes, at) << 8) | readUint8(bytes, at + 1);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((readUint16(bytes, at) << 16) | readUint16(bytes, at + 2)) >>> 0;
}
