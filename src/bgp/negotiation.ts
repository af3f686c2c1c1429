/**
 * Negotiation of a session: our OPEN, and the features that two OPENs agree on (RFC 4271 sections 4.2 and 6.2, RFC 5492). Pure.
 *
 * Our OPEN offers each of these capabilities unless the peer has refused it: families (RFC 4760), route refresh (RFC 2918 and 7313),
 * four-octet AS numbers (RFC 6793), long messages (RFC 8654), the host name (FQDN), graceful restart where configured (RFC 4724, 8538 and
 * 9494), BFD strict mode where configured, and over IPv6 also IPv6 next hops for IPv4 routes (RFC 8950).
 */
import type { Family } from '../address/index.ts';
import { fail, ok, type Result } from '../result.ts';
import {
  asTrans,
  capabilityCode,
  capabilityNameOf,
  extendedMessageLimit,
  standardMessageLimit,
} from './codec/index.ts';
import type { NotificationError } from './message.ts';
import { type AddressFamily, Afi, type Capability, type OpenMessage, safiUnicast } from './message.ts';

/** Our side of a session. */
export interface LocalEnd {
  /** The AS number that this speaker shows to the peer. */
  readonly asn: number;
  /** The AS number that the peer must have; `external` accepts any number but ours, `internal` only ours. */
  readonly peerAsn: number | 'internal' | 'external';
  readonly routerId: number;
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  readonly hostName: string;
  /** Families to offer; all when absent. */
  readonly families?: readonly Family[];
  /** The session runs over IPv6, so IPv4 routes may need an IPv6 next hop (RFC 8950). */
  readonly overIpv6: boolean;
  readonly gracefulRestart?: GracefulRestartOffer;
  /** Offers BFD strict mode: if the peer offers it too, the session waits until BFD is Up. */
  readonly bfdStrict: boolean;
  /**
   * Codes of the capabilities to leave out of our OPEN: those that this peer refused (RFC 5492 section 5) and, for an inherited session, those
   * that the earlier process did not offer. `all` leaves every capability out.
   */
  readonly refusedCapabilities: ReadonlySet<number> | 'all';
}

export interface GracefulRestartOffer {
  readonly restartTimeSeconds: number;
  /**
   * Long-Lived Stale Time (RFC 9494): how long the peer keeps our routes after the restart time. Meanwhile the peer prefers any other route to
   * them.
   */
  readonly longLivedStaleTimeSeconds?: number;
  /** Restart State, the R bit (RFC 4724 section 3): this process has restarted. */
  readonly restarting: boolean;
  /** Forwarding State, the F bit (RFC 4724 section 3): the node kept forwarding while the session was down. */
  readonly forwarding: boolean;
}

/** Features that both ends agree on. */
export interface Negotiated {
  readonly peerAsn: number;
  readonly peerRouterId: number;
  readonly internal: boolean;
  /** 0 means no KEEPALIVEs and no hold timer. */
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  readonly fourOctetAs: boolean;
  readonly families: readonly Family[];
  /** IPv4 routes may be sent with an IPv6 next hop. */
  readonly extendedNextHop: boolean;
  readonly routeRefresh: boolean;
  readonly enhancedRouteRefresh: boolean;
  /** Octets of the longest UPDATE that the peer accepts, header included. */
  readonly sendLimit: number;
  /** Octets of the longest message that our OPEN allows. */
  readonly receiveLimit: number;
  /**
   * Present when both ends offer graceful restart. The peer then keeps our routes for a while after the session goes down. The times in
   * our OPEN say how long. The two values here come from the peer's OPEN.
   */
  readonly gracefulRestart?: { readonly restartTimeSeconds: number; readonly notification: boolean };
  /** Present when both ends offer BFD strict mode: the session waits until BFD is Up. */
  readonly bfdStrict?: true;
  /** Names of the peer's capabilities. */
  readonly capabilities: readonly string[];
  /**
   * Names of our capabilities that our OPEN left out. The peer refused an OPEN with them, or an earlier process started the session with an
   * OPEN that lacks them.
   */
  readonly withheld: readonly string[];
}

const unicast: Record<Family, AddressFamily> = {
  4: { afi: Afi.IPv4, safi: safiUnicast },
  6: { afi: Afi.IPv6, safi: safiUnicast },
};
const families: readonly Family[] = [4, 6];

export function addressFamily(family: Family): AddressFamily {
  return unicast[family];
}

/** The family with these numbers; `undefined` when this speaker does not support it. */
export function familyOf({ afi, safi }: AddressFamily): Family | undefined {
  return families.find((family) => unicast[family].afi === afi && unicast[family].safi === safi);
}

export function familyName(family: Family): string {
  return family === 4 ? 'ipv4-unicast' : 'ipv6-unicast';
}

/** The name of a family, such as `ipv4-unicast`; `afi-25-safi-70` for a family that this speaker does not support. */
export function addressFamilyName(addressFamily: AddressFamily): string {
  const family = familyOf(addressFamily);
  return family ? familyName(family) : `afi-${addressFamily.afi}-safi-${addressFamily.safi}`;
}

/** Our OPEN, without the capabilities that the peer has refused. */
export function localOpen(local: LocalEnd): OpenMessage {
  const { refusedCapabilities: refused, asn } = local;
  return {
    kind: 'open',
    version: 4,
    myAs: asn > 0xffff ? asTrans : asn,
    holdTimeSeconds: local.holdTimeSeconds,
    routerId: local.routerId,
    capabilities:
      refused === 'all' ? [] : offeredCapabilities(local).filter((c) => !refused.has(capabilityCode(c))),
  };
}

/**
 * Our side of a session that an earlier process started with the OPEN `sent`; `undefined` if this process would send a different OPEN.
 * Capabilities that this process offers and `sent` lacks are left out, so that a newer version of Bellman can go on with the session. Configured
 * graceful restart that `sent` lacks is left out only if the peer may have refused it: when `received`, the peer's OPEN, does not offer graceful
 * restart, or when `sent` has no capabilities at all. If neither holds, the configuration has changed since `sent`, and the result is `undefined`.
 * The two restart flags describe the past, and BFD strict mode matters only before a session is up, so flags and strict mode are not compared.
 */
export function localEndThatSent(
  sent: OpenMessage,
  received: OpenMessage,
  local: LocalEnd,
): LocalEnd | undefined {
  const codes = new Set(sent.capabilities.map(capabilityCode));
  const theirs = new Set(received.capabilities.map(capabilityCode));
  const missing = offeredCapabilities(local)
    .map(capabilityCode)
    .filter((code) => !codes.has(code));
  const isNew = (code: number) => configuredCapabilities.has(code) && theirs.has(code);
  if (codes.size > 0 && missing.some(isNew)) return undefined;
  const known = local.refusedCapabilities === 'all' ? [] : local.refusedCapabilities;
  const end: LocalEnd = {
    ...local,
    bfdStrict: false,
    refusedCapabilities: new Set([...known, ...missing]),
  };
  return comparable(localOpen(end)) === comparable(sent) ? end : undefined;
}

/** Codes of the capabilities for graceful restart, which the configuration turns on. */
const configuredCapabilities: ReadonlySet<number> = new Set([64, 71]);

function comparable({ myAs, holdTimeSeconds, routerId, capabilities }: OpenMessage): string {
  const compared = capabilities.filter(({ kind }) => kind !== 'bfd-strict');
  const isOfThePast = (key: string) => key === 'restarting' || key === 'forwarding';
  return JSON.stringify([myAs, holdTimeSeconds, routerId, compared], (key, value: unknown) =>
    isOfThePast(key) ? undefined : value,
  );
}

function offeredFamilies({ families: offered }: LocalEnd): readonly Family[] {
  return offered ?? families;
}

function offeredCapabilities(local: LocalEnd): Capability[] {
  const { gracefulRestart, overIpv6, hostName } = local;
  const offered = offeredFamilies(local);
  return [
    ...offered.map((family): Capability => ({ kind: 'multiprotocol', family: unicast[family] })),
    { kind: 'route-refresh' },
    { kind: 'enhanced-route-refresh' },
    ...(overIpv6 && offered.includes(4)
      ? [{ kind: 'extended-next-hop', tuples: [{ ...unicast[4], nextHopAfi: Afi.IPv6 }] } as const]
      : []),
    { kind: 'extended-message' },
    { kind: 'four-octet-as', asn: local.asn },
    ...(gracefulRestart
      ? [
          {
            kind: 'graceful-restart',
            restarting: gracefulRestart.restarting,
            notification: true,
            restartTimeSeconds: gracefulRestart.restartTimeSeconds,
            families: offered.map((family) => ({
              ...unicast[family],
              forwarding: gracefulRestart.forwarding,
            })),
          } as const,
        ]
      : []),
    ...(gracefulRestart?.longLivedStaleTimeSeconds === undefined
      ? []
      : [longLived(gracefulRestart, gracefulRestart.longLivedStaleTimeSeconds, offered)]),
    ...(local.bfdStrict ? [{ kind: 'bfd-strict' } as const] : []),
    ...(hostName === '' ? [] : [{ kind: 'fqdn', host: hostName, domain: '' } as const]),
  ];
}

function longLived(
  { forwarding }: GracefulRestartOffer,
  staleTimeSeconds: number,
  offered: readonly Family[],
): Capability {
  return {
    kind: 'long-lived-graceful-restart',
    families: offered.map((family) => ({ ...unicast[family], forwarding, staleTimeSeconds })),
  };
}

/**
 * Compares the peer's OPEN with ours. Returns the features that both ends agree on, or the OPEN Message Error to send (RFC 4271 section
 * 6.2). The codec has already rejected OPENs with the errors that do not depend on the session.
 */
export function judgeOpen(open: OpenMessage, local: LocalEnd): Result<Negotiated, NotificationError> {
  const ours = localOpen(local).capabilities;
  const theirs = open.capabilities;
  const peerAsn = asnOf(open, local);
  if (!acceptsAsn(local, peerAsn))
    return fail(openError(2, `peer said AS ${peerAsn}, configured ${expectedAs(local)}`));
  const internal = peerAsn === local.asn;
  // RFC 6286 section 2.2: within an AS no two speakers have the same identifier.
  if (internal && open.routerId === local.routerId)
    return fail(openError(3, 'the peer has the BGP identifier of this speaker'));
  const holdTimeSeconds = Math.min(local.holdTimeSeconds, open.holdTimeSeconds);
  const both = (kind: Capability['kind']) => Boolean(find(ours, kind) && find(theirs, kind));
  const gracefulRestart = both('graceful-restart') ? find(theirs, 'graceful-restart') : undefined;
  return ok({
    peerAsn,
    peerRouterId: open.routerId,
    internal,
    holdTimeSeconds,
    keepaliveTimeSeconds: keepaliveSeconds(local.keepaliveTimeSeconds, holdTimeSeconds),
    fourOctetAs: both('four-octet-as'),
    // Our OPEN is checked too, because it lacks the multiprotocol capability when the peer has refused that capability.
    families: offeredFamilies(local).filter((family) => speaks(ours, family) && speaks(theirs, family)),
    extendedNextHop: both('extended-next-hop') && takesIpv6NextHop(theirs),
    routeRefresh: both('route-refresh'),
    enhancedRouteRefresh: both('enhanced-route-refresh'),
    sendLimit: both('extended-message') ? extendedMessageLimit : standardMessageLimit,
    receiveLimit: find(ours, 'extended-message') ? extendedMessageLimit : standardMessageLimit,
    ...(gracefulRestart
      ? {
          gracefulRestart: {
            restartTimeSeconds: gracefulRestart.restartTimeSeconds,
            notification: gracefulRestart.notification,
          },
        }
      : {}),
    ...(both('bfd-strict') ? { bfdStrict: true as const } : {}),
    capabilities: [...new Set(theirs.map(capabilityName))],
    withheld: offeredCapabilities(local)
      .filter((capability) => !ours.some(({ kind }) => kind === capability.kind))
      .map(capabilityName),
  });
}

/** The keepalive interval of a session: at most a third of the hold time, at least one second (RFC 4271 section 4.4). */
export function keepaliveSeconds(configured: number, holdTimeSeconds: number): number {
  return Math.max(1, Math.min(configured, holdTimeSeconds / 3));
}

/**
 * The capabilities to leave out of our OPEN after this NOTIFICATION, including those in `refused`. Returns `undefined` when the
 * NOTIFICATION refuses no capability, or when our OPEN already leaves every capability out. Unsupported Capability can also name a capability
 * that the peer requires (RFC 5492 section 3). Only `offered`, the capabilities of our OPEN, can have been refused.
 */
export function refusedAfter(
  { code, subcode, data }: NotificationError,
  refused: ReadonlySet<number> | 'all',
  offered?: readonly Capability[],
): ReadonlySet<number> | 'all' | undefined {
  const unsupportedOptionalParameter = code === 2 && subcode === 4;
  const unsupportedCapability = code === 2 && subcode === 7;
  if (refused === 'all' || !(unsupportedOptionalParameter || unsupportedCapability)) return undefined;
  const named = unsupportedCapability ? capabilitiesIn(data) : [];
  const ours = named.filter((one) => !offered || offered.some((capability) => isNamed(capability, one)));
  const isRequired = named.length > 0 && ours.length === 0 && !named.some((one) => refused.has(one.code));
  if (isRequired) return undefined;
  const wider = new Set([...refused, ...ours.map((one) => one.code)]);
  return wider.size > refused.size ? wider : 'all';
}

/** A capability that a NOTIFICATION names. */
interface NamedCapability {
  readonly code: number;
  readonly value: Uint8Array;
}

/**
 * The capabilities in the data of an Unsupported Capability NOTIFICATION. The data is a list of `code | length | value` (RFC 5492 section 5).
 */
function capabilitiesIn(data: Uint8Array): NamedCapability[] {
  const named: NamedCapability[] = [];
  let at = 0;
  while (at + 2 <= data.length) {
    const end = at + 2 + (data[at + 1] ?? 0);
    named.push({ code: data[at] ?? 0, value: data.subarray(at + 2, end) });
    at = end;
  }
  return named;
}

/**
 * True when the code is that of `capability`. Multiprotocol must also have the same family, if the value has the length of a family. The values
 * of other capabilities are not compared, because the peer may write values that differ from ours.
 */
function isNamed(capability: Capability, { code, value }: NamedCapability): boolean {
  if (capabilityCode(capability) !== code) return false;
  if (capability.kind !== 'multiprotocol' || value.length !== 4) return true;
  const { afi, safi } = capability.family;
  return value[0] === afi >>> 8 && value[1] === (afi & 0xff) && value[3] === safi;
}

/**
 * The AS number of the peer that sent this OPEN. A peer that supports only two-octet AS numbers sends AS_TRANS in place of a greater number
 * (RFC 6793 section 4.2.1). AS_TRANS therefore stands for the configured AS number if that number needs four octets.
 */
function asnOf({ myAs, capabilities }: OpenMessage, local: LocalEnd): number {
  const fourOctet = find(capabilities, 'four-octet-as');
  if (fourOctet) return fourOctet.asn;
  const expected = expectedAsn(local);
  return myAs === asTrans && expected !== undefined && expected > 0xffff ? expected : myAs;
}

function acceptsAsn(local: LocalEnd, offered: number): boolean {
  const expected = expectedAsn(local);
  return expected === undefined ? offered !== local.asn : offered === expected;
}

/** The only AS number that the peer may have; `undefined` when it may have any but ours. */
function expectedAsn({ peerAsn, asn }: LocalEnd): number | undefined {
  if (peerAsn === 'external') return undefined;
  return peerAsn === 'internal' ? asn : peerAsn;
}

function expectedAs({ peerAsn, asn }: LocalEnd): string {
  if (peerAsn === 'internal') return `internal (AS ${asn})`;
  return peerAsn === 'external' ? `external (any AS but ${asn})` : String(peerAsn);
}

/** True when an OPEN with these capabilities offers the family. Without any multiprotocol capability, it offers IPv4 (RFC 4760 section 8). */
function speaks(capabilities: readonly Capability[], family: Family): boolean {
  const offered = capabilities.filter((capability) => capability.kind === 'multiprotocol');
  return offered.length === 0
    ? family === 4
    : offered.some((capability) => familyOf(capability.family) === family);
}

function takesIpv6NextHop(capabilities: readonly Capability[]): boolean {
  return capabilities.some(
    (capability) =>
      capability.kind === 'extended-next-hop' &&
      capability.tuples.some((tuple) => familyOf(tuple) === 4 && tuple.nextHopAfi === Afi.IPv6),
  );
}

function find<K extends Capability['kind']>(
  capabilities: readonly Capability[],
  kind: K,
): Extract<Capability, { kind: K }> | undefined {
  return capabilities.find(
    (capability): capability is Extract<Capability, { kind: K }> => capability.kind === kind,
  );
}

function capabilityName(capability: Capability): string {
  return capability.kind === 'multiprotocol'
    ? addressFamilyName(capability.family)
    : capabilityNameOf(capabilityCode(capability));
}

/** An OPEN Message Error (RFC 4271 section 4.5). */
function openError(subcode: number, text: string): NotificationError {
  return { code: 2, subcode, data: new Uint8Array(0), text };
}
