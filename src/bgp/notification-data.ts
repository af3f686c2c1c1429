/**
 * Describes the data field of a NOTIFICATION in words, so that an operator reads `AS 64512` and not `0000fc00`. Data of an unknown form is
 * shown in hexadecimal. Pure.
 *
 * Follows RFC 4271 sections 6.1 to 6.3 (header, OPEN, UPDATE), RFC 5492 section 5 (Unsupported Capability), RFC 6608 section 4 (the type of
 * the unexpected message), RFC 4486 section 4 (the prefix limit), RFC 9003 (shutdown communication).
 */
import { formatIp, ipFromBytes } from '../address/index.ts';
import { printable } from '../printable.ts';
import { Cease, ceaseCode } from './cease.ts';
import { attributeName, capabilityNameOf } from './codec/index.ts';
import type { NotificationError } from './message.ts';
import { MessageType } from './message.ts';
import { addressFamilyName } from './negotiation.ts';

const maxHexOctets = 64;
const maxTextCharacters = 255;
const maxListedCapabilities = 16;

/**
 * Describes the data in words; returns an empty string when there is no data. The text has at most a few hundred characters, whatever the
 * peer sends.
 */
export function describeData({ code, subcode, data }: NotificationError): string {
  if (data.length === 0) return '';
  if (code === ceaseCode && subcode !== Cease.maximumPrefixes) return `: ${communication(data)}`;
  return ` (${known(code, subcode, data) ?? `data ${hex(data)}`})`;
}

function known(code: number, subcode: number, data: Uint8Array): string | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  switch (`${code}/${subcode}`) {
    case '1/2':
      return data.length === 2 ? `length ${view.getUint16(0)}` : undefined;
    case '1/3':
      return data.length === 1 ? `type ${data[0]}` : undefined;
    // RFC 4271 section 6.2: the data is a version that the sender supports.
    case '2/1':
      return data.length === 2 ? `supports version ${view.getUint16(0)}` : undefined;
    // No RFC defines this data. BIRD and FRR send the AS number of the OPEN that they refuse, in two or four octets.
    case '2/2':
      if (data.length === 2) return `the OPEN says AS ${view.getUint16(0)}`;
      return data.length === 4 ? `the OPEN says AS ${view.getUint32(0)}` : undefined;
    // No RFC defines this data either. BIRD and FRR send the identifier or the hold time of the OPEN that they refuse.
    case '2/3':
      return data.length === 4 ? `the OPEN says ${formatIp(ipFromBytes(data))}` : undefined;
    case '2/6':
      return data.length === 2 ? `the OPEN says ${view.getUint16(0)} s` : undefined;
    case '2/7':
      return capabilities(data);
    case '3/3':
      return data.length === 1 ? attributeName(view.getUint8(0)) : undefined;
    case '5/1':
    case '5/2':
    case '5/3':
      return data.length === 1 ? messageName(view.getUint8(0)) : undefined;
    case '6/1':
      return prefixLimit(data, view);
    default:
      return code === 3 ? attribute(data) : undefined;
  }
}

/** RFC 4271 section 6.3: most UPDATE errors carry the whole attribute, `flags | type | length 1 or 2 | value`. */
function attribute(data: Uint8Array): string | undefined {
  if (data.length < 3) return undefined;
  return `${attributeName(data[1] ?? 0)}, data ${hex(data)}`;
}

/** RFC 5492 section 5: the capabilities that made the sender refuse the OPEN, `code | length | value` each. */
function capabilities(data: Uint8Array): string | undefined {
  const names: string[] = [];
  let at = 0;
  while (at + 2 <= data.length && names.length < maxListedCapabilities) {
    names.push(capabilityNameOf(data[at] ?? 0));
    at += 2 + (data[at + 1] ?? 0);
  }
  if (names.length === 0) return undefined;
  return at < data.length ? `${names.join(', ')}, …` : names.join(', ');
}

/** RFC 4486 section 4: `AFI 2 | SAFI | prefix upper bound 4`. */
function prefixLimit(data: Uint8Array, view: DataView): string | undefined {
  if (data.length !== 7) return undefined;
  const family = { afi: view.getUint16(0), safi: view.getUint8(2) };
  return `${addressFamilyName(family)}, limit ${view.getUint32(3)}`;
}

/** RFC 9003 section 2: `length | UTF-8 text`. */
function communication(data: Uint8Array): string {
  if (data[0] !== data.length - 1) return hex(data);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(1));
    return JSON.stringify(printable(text, maxTextCharacters));
  } catch {
    return hex(data);
  }
}

function messageName(type: number): string {
  const name = Object.entries(MessageType).find(([, number]) => number === type)?.[0];
  return name === undefined
    ? `message type ${type}`
    : name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toUpperCase();
}

function hex(data: Uint8Array): string {
  const shown = Buffer.from(data.subarray(0, maxHexOctets)).toString('hex');
  return data.length > maxHexOctets ? `${shown}… (${data.length} octets)` : shown;
}
