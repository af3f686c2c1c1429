/**
 * OPEN (RFC 4271 section 4.2), with offsets from the start of the message:
 *
 *    19        20      22          24               28                  29
 *   | version | my AS | hold time | BGP Identifier | parameters length | parameters …
 *
 * A parameter is `type 1 | length 1 | value`. Parameters that exceed 255 octets together take the extended form (RFC 9072 section 2). A
 * parameter is then `type 1 | length 2 | value`, and the end of the fixed part becomes:
 *
 *    28    29    30                  32
 *   | 255 | 255 | parameters length | parameters …
 */
import { fail, ok, type Result } from '../../result.ts';
import { type Capability, MessageType, type OpenMessage } from '../message.ts';
import { asTrans } from './as-path.ts';
import { decodeCapabilities, encodeCapability } from './capabilities.ts';
import { type BgpError, OpenSubcode, openError } from './errors.ts';
import { headerOctets, standardMessageLimit, writeHeader } from './header.ts';
import { OctetWriter } from './octet-writer.ts';
import { readUint8, readUint16, readUint32 } from './octets.ts';

const bgpVersion = 4;
const parametersAt = 29;
const capabilitiesParameter = 2;
/** RFC 9072 section 2: the mark of the extended form, in place of the first parameter's type. */
const extendedMark = 255;

/**
 * Decodes an OPEN whose header has been judged. Finds only the errors that do not depend on the session (RFC 4271 section 6.2). The
 * errors are, as code/subcode:
 * - 2/0: a malformed parameter or capability
 * - 2/1: a version other than 4
 * - 2/2: AS 0 (RFC 7607), or AS_TRANS in four octets (RFC 6793)
 * - 2/3: BGP Identifier 0 (RFC 6286)
 * - 2/4: a parameter other than capabilities
 * - 2/6: a hold time of 1 or 2 s
 * - 2/11: two different roles (RFC 9234)
 */
export function decodeOpen(frame: Uint8Array): Result<OpenMessage, BgpError> {
  const version = readUint8(frame, headerOctets);
  if (version !== bgpVersion)
    return fail(
      openError(OpenSubcode.unsupportedVersion, `version ${version} is not 4`, Uint8Array.of(0, bgpVersion)),
    );
  const capabilities = decodeParameters(frame);
  if (!capabilities.ok) return capabilities;
  const open: OpenMessage = {
    kind: 'open',
    version,
    myAs: readUint16(frame, 20),
    holdTimeSeconds: readUint16(frame, 22),
    routerId: readUint32(frame, 24),
    capabilities: withoutFormerRestarts(capabilities.value),
  };
  const error = judgeValues(open, frame);
  return error ? fail(error) : ok(open);
}

function judgeValues(open: OpenMessage, frame: Uint8Array): BgpError | undefined {
  const { myAs, holdTimeSeconds, routerId, capabilities } = open;
  const roles = new Set<number>();
  const asns = [myAs];
  for (const capability of capabilities) {
    if (capability.kind === 'role') roles.add(capability.role);
    if (capability.kind !== 'four-octet-as') continue;
    asns.push(capability.asn);
    // RFC 6793 section 9: AS_TRANS is reserved. It may only stand in a two-octet field, for an AS number that needs four octets.
    if (capability.asn === asTrans)
      return openError(OpenSubcode.badPeerAs, 'the four-octet AS number is AS_TRANS');
  }
  if (asns.includes(0)) return openError(OpenSubcode.badPeerAs, 'AS 0 is reserved');
  if (routerId === 0) return openError(OpenSubcode.badIdentifier, 'the BGP identifier is 0');
  if (holdTimeSeconds === 1 || holdTimeSeconds === 2)
    return openError(
      OpenSubcode.unacceptableHoldTime,
      `a hold time of ${holdTimeSeconds} s is too short`,
      frame.subarray(22, 24),
    );
  if (roles.size > 1) return openError(OpenSubcode.roleMismatch, 'the peer states two roles');
  return undefined;
}

/** RFC 4724 section 3: of several graceful restart capabilities only the last one counts. */
function withoutFormerRestarts(capabilities: readonly Capability[]): readonly Capability[] {
  const last = capabilities.findLastIndex(({ kind }) => kind === 'graceful-restart');
  return capabilities.filter(({ kind }, index) => kind !== 'graceful-restart' || index === last);
}

function decodeParameters(frame: Uint8Array): Result<readonly Capability[], BgpError> {
  const stated = readUint8(frame, parametersAt - 1);
  // RFC 9072 section 2: the mark makes the form extended, whatever the one-octet length says. The exception is a length of 0: the OPEN then
  // has no parameters.
  const isExtended =
    stated !== 0 && frame.length > parametersAt && readUint8(frame, parametersAt) === extendedMark;
  const lengthOctets = isExtended ? 2 : 1;
  const start = isExtended ? parametersAt + 3 : parametersAt;
  if (start > frame.length)
    return malformed('the OPEN ends within the length of its parameters', frame.subarray(parametersAt - 1));
  const length = isExtended ? readUint16(frame, parametersAt + 1) : stated;
  if (start + length !== frame.length)
    return malformed(
      `the OPEN states ${length} octets of parameters and holds ${frame.length - start}`,
      frame.subarray(parametersAt - 1),
    );
  const capabilities: Capability[] = [];
  let at = start;
  while (at < frame.length) {
    const valueAt = at + 1 + lengthOctets;
    if (valueAt > frame.length) return malformed('the OPEN ends within a parameter', frame.subarray(at));
    const end = valueAt + (isExtended ? readUint16(frame, at + 1) : readUint8(frame, at + 1));
    if (end > frame.length) return malformed('a parameter is longer than the OPEN', frame.subarray(at));
    const type = readUint8(frame, at);
    if (type !== capabilitiesParameter)
      return fail(
        openError(
          OpenSubcode.unsupportedParameter,
          `the optional parameter ${type} is unknown`,
          frame.subarray(at, end),
        ),
      );
    const decoded = decodeCapabilities(frame.subarray(valueAt, end));
    if (!decoded.ok) return decoded;
    capabilities.push(...decoded.value);
    at = end;
  }
  return ok(capabilities);
}

/** RFC 4271 section 6.2: the subcode of a recognized but malformed parameter is 0, Unspecific. */
function malformed(text: string, data: Uint8Array): { readonly ok: false; readonly error: BgpError } {
  return fail(openError(OpenSubcode.unspecific, text, data));
}

/**
 * Encodes an OPEN with all capabilities in one parameter. Uses the extended form only when the capabilities need it. Throws a RangeError
 * for a message over 4096 octets (RFC 8654 section 4), a capability over 255 octets, or an AS number over 65,535 in `myAs`.
 */
export function encodeOpen(open: OpenMessage): Uint8Array {
  if (open.myAs > 0xffff) throw new RangeError(`AS ${open.myAs} does not fit into two octets: send AS_TRANS`);
  const capabilities = new OctetWriter();
  for (const capability of open.capabilities) capabilities.octets(encodeCapability(capability));
  const writer = new OctetWriter()
    .octets(new Uint8Array(headerOctets))
    .uint8(open.version)
    .uint16(open.myAs)
    .uint16(open.holdTimeSeconds)
    .uint32(open.routerId);
  const { length } = capabilities;
  if (length === 0) writer.uint8(0);
  else if (length + 2 <= 255)
    writer
      .uint8(length + 2)
      .uint8(capabilitiesParameter)
      .uint8(length);
  else
    writer
      .uint8(extendedMark)
      .uint8(extendedMark)
      .uint16(length + 3)
      .uint8(capabilitiesParameter)
      .uint16(length);
  const bytes = writer.octets(capabilities.finish()).finish();
  if (bytes.length > standardMessageLimit) throw new RangeError(`an OPEN cannot have ${bytes.length} octets`);
  writeHeader(bytes, 0, bytes.length, MessageType.Open);
  return bytes;
}
