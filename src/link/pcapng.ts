/**
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng). Pure. Numbers are in little-endian order, as the section header says. Below, the number
 * after each field is its length in octets:
 *
 *   every block:   type 4   length 4   body, padded to 4   length 4
 *   section:       0x1A2B3C4D 4   major 2   minor 2   section length 8 (unknown)   options
 *   interface:     link type 2   reserved 2   snap length 4   options
 *   packet:        interface 4   time, high 4   time, low 4   captured length 4   original length 4   octets, padded   options
 *
 * Times are in microseconds. A file may consist of several sections, so the files of several nodes can be joined.
 */
const blockType = { section: 0x0a0d0d0a, interface: 1, packet: 6 } as const;
const optionCode = { end: 0, interfaceName: 2, application: 4 } as const;
const linkTypeEthernet = 1;

/** Begins a section. Interfaces are numbered in the order of their blocks, from 0. */
export function sectionHeader(application: string): Buffer {
  const fixed = Buffer.alloc(16);
  fixed.writeUInt32LE(0x1a2b3c4d, 0);
  fixed.writeUInt16LE(1, 4);
  fixed.writeBigInt64LE(-1n, 8);
  return block(blockType.section, fixed, options([[optionCode.application, application]]));
}

export function interfaceDescription(name: string, snapLength: number): Buffer {
  const fixed = Buffer.alloc(8);
  fixed.writeUInt16LE(linkTypeEthernet, 0);
  fixed.writeUInt32LE(snapLength, 4);
  return block(blockType.interface, fixed, options([[optionCode.interfaceName, name]]));
}

/** The block of a frame that was captured whole. `epochMs` may have a fraction. */
export function enhancedPacket(interfaceIndex: number, epochMs: number, frame: Uint8Array): Buffer {
  const microseconds = BigInt(Math.max(0, Math.round(epochMs * 1000)));
  const fixed = Buffer.alloc(20);
  fixed.writeUInt32LE(interfaceIndex, 0);
  fixed.writeUInt32LE(Number(microseconds >> 32n), 4);
  fixed.writeUInt32LE(Number(microseconds & 0xffffffffn), 8);
  fixed.writeUInt32LE(frame.length, 12);
  fixed.writeUInt32LE(frame.length, 16);
  return block(blockType.packet, fixed, padded(Buffer.from(frame)));
}

function block(type: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length = body.length + 12;
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(length, 4);
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(length, 0);
  return Buffer.concat([head, body, tail]);
}

/** Options with text values. Each has a code (2 octets), a length (2 octets) and a padded value. */
function options(all: readonly (readonly [code: number, value: string])[]): Buffer {
  const written = all.map(([code, value]) => {
    const octets = Buffer.from(value);
    const head = Buffer.alloc(4);
    head.writeUInt16LE(code, 0);
    head.writeUInt16LE(octets.length, 2);
    return Buffer.concat([head, padded(octets)]);
  });
  const end = Buffer.alloc(4);
  end.writeUInt16LE(optionCode.end, 0);
  return Buffer.concat([...written, end]);
}

function padded(octets: Buffer): Buffer {
  return Buffer.concat([octets, Buffer.alloc(-octets.length & 3)]);
}
