/**
 * Writes UPDATE messages from the Adj-RIB-Out straight into buffers for the socket, packed as full as the session allows.
 *
 * An UPDATE carries at most one of withdrawn routes, NLRI, MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 7606 section 5.1). IPv4 routes with an
 * IPv4 next hop travel outside of MP_REACH_NLRI, in the form that every peer knows ("classic" below).
 */
import { type Family, type IpAddress, ipToBytes } from '../../address/index.ts';
import { AttributeType, encodePathAttributes, Flag } from '../codec/index.ts';
import { MessageType, type PathAttributes } from '../message.ts';
import { addressFamily } from '../negotiation.ts';
import type { RouteAttributes } from '../speaker-api.ts';
import type { AdjRibOut, Outgoing, PrefixSource } from './adj-rib-out.ts';
import type { AttributeTable } from './attribute-table.ts';
import type { PrefixTable } from './prefix-table.ts';

/** Properties of a session that shape its UPDATEs. */
export interface WireSession {
  readonly internal: boolean;
  /** The AS number at the front of AS_PATH on external sessions. */
  readonly localAsn: number;
  readonly fourOctetAs: boolean;
  /** Octets of the longest message. */
  readonly sendLimit: number;
  /** Next hops by family, for MP_REACH_NLRI or NEXT_HOP. IPv4 may have an IPv6 next hop (RFC 8950). */
  readonly nextHops: Readonly<Partial<Record<Family, readonly IpAddress[]>>>;
}

/** Messages ready for the socket. */
export interface Written {
  readonly bytes: Uint8Array;
  /** Number of prefixes of each UPDATE, in order; 0 for End-of-RIB. */
  readonly updates: readonly number[];
  readonly routeRefreshes: number;
}

/** Size of a buffer for the socket. */
const chunkBytes = 65_536;
const headerBytes = 19;
/** Header, and the two length fields of an UPDATE (RFC 4271 section 4.3). */
const updateOverhead = headerBytes + 4;
/** LOCAL_PREF of a route for which the plan chooses none. */
export const defaultLocalPref = 100;

const optionalExtended = Flag.optional | Flag.extendedLength;
const RefreshMark = { begin: 1, end: 2 } as const;

export class UpdateWriter {
  readonly #rib: AdjRibOut;
  readonly #prefixes: PrefixTable;
  readonly #attributes: AttributeTable;
  readonly #session: WireSession;
  #chunk = new Uint8Array(0);
  #view = new DataView(this.#chunk.buffer);

  constructor(rib: AdjRibOut, prefixes: PrefixTable, attributes: AttributeTable, session: WireSession) {
    this.#rib = rib;
    this.#prefixes = prefixes;
    this.#attributes = attributes;
    this.#session = session;
  }

  /** Writes the next messages, at most 64 KiB. Returns `undefined` when the peer is up to date. */
  next(): Written | undefined {
    let outgoing = this.#rib.next();
    if (!outgoing) return undefined;
    // The socket keeps a buffer until its octets are sent, so each call allocates its own. `allocUnsafeSlow` does not fill the buffer with
    // zeros first. A peer that does not read could pin a whole buffer for each small change, so octets that fill less than half of the
    // buffer are copied into a smaller one.
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(chunkBytes, this.#session.sendLimit));
    this.#view = new DataView(this.#chunk.buffer);
    const updates: number[] = [];
    let routeRefreshes = 0;
    let end = 0;
    while (outgoing) {
      const start = end;
      if (outgoing.kind === 'refresh-begin' || outgoing.kind === 'refresh-end') {
        end = this.#refreshMark(outgoing, start);
        routeRefreshes++;
      } else {
        const written = this.#update(outgoing, start);
        if (outgoing.kind === 'announce' && written.prefixes === 0) {
          this.#rib.refuse(outgoing.family, outgoing.attributes);
        } else {
          end = written.end;
          updates.push(written.prefixes);
        }
      }
      if (this.#chunk.length - end < this.#session.sendLimit) break;
      outgoing = this.#rib.next();
    }
    const bytes = this.#chunk.subarray(0, end);
    return { bytes: end < this.#chunk.length / 2 ? new Uint8Array(bytes) : bytes, updates, routeRefreshes };
  }

  #update(outgoing: Outgoing, start: number): { end: number; prefixes: number } {
    const { family } = outgoing;
    if (outgoing.kind === 'announce') {
      const set = this.#attributes.get(outgoing.attributes);
      return this.#isClassic(family)
        ? this.#announceClassic(set, outgoing.prefixes, start)
        : this.#announceMultiprotocol(family, set, outgoing.prefixes, start);
    }
    const prefixes = outgoing.kind === 'withdraw' ? outgoing.prefixes : emptySource;
    // RFC 4724 section 2: the End-of-RIB of IPv4 unicast is an empty UPDATE, even when its routes travel in MP_REACH_NLRI.
    if (this.#isClassic(family) || (family === 4 && outgoing.kind === 'end-of-rib'))
      return this.#withdrawClassic(prefixes, start);
    return this.#withdrawMultiprotocol(family, prefixes, start);
  }

  /** Layout: `header | withdrawn length = 0 | attributes length | attributes | NLRI`. */
  #announceClassic(
    set: RouteAttributes,
    source: PrefixSource,
    start: number,
  ): { end: number; prefixes: number } {
    const attributes = this.#fitting(4, set);
    if (!attributes) return { end: start, prefixes: 0 };
    let at = start + updateOverhead;
    this.#view.setUint16(start + headerBytes, 0);
    this.#view.setUint16(start + headerBytes + 2, attributes.length);
    this.#chunk.set(attributes, at);
    at += attributes.length;
    const { end, count } = this.#fill(source, at, start + this.#session.sendLimit);
    this.#header(start, end, MessageType.Update);
    return { end, prefixes: count };
  }

  /**
   * Layout: `header | withdrawn length = 0 | attributes length | MP_REACH_NLRI | attributes`. MP_REACH_NLRI comes first (RFC 7606 section
   * 5.1). It is `flags | 14 | length 2 | AFI 2 | SAFI | next hop length | next hops | reserved = 0 | NLRI`.
   */
  #announceMultiprotocol(
    family: Family,
    set: RouteAttributes,
    source: PrefixSource,
    start: number,
  ): { end: number; prefixes: number } {
    const attributes = this.#fitting(family, set);
    if (!attributes) return { end: start, prefixes: 0 };
    const { afi, safi } = addressFamily(family);
    const reach = start + updateOverhead;
    this.#chunk[reach] = optionalExtended;
    this.#chunk[reach + 1] = AttributeType.mpReach;
    this.#view.setUint16(reach + 4, afi);
    this.#chunk[reach + 6] = safi;
    let at = reach + 8;
    for (const nextHop of this.#session.nextHops[family] ?? []) {
      const bytes = ipToBytes(nextHop);
      this.#chunk.set(bytes, at);
      at += bytes.length;
    }
    this.#chunk[reach + 7] = at - reach - 8;
    this.#chunk[at++] = 0;
    const filled = this.#fill(source, at, start + this.#session.sendLimit - attributes.length);
    this.#view.setUint16(reach + 2, filled.end - reach - 4);
    this.#chunk.set(attributes, filled.end);
    const end = filled.end + attributes.length;
    this.#view.setUint16(start + headerBytes, 0);
    this.#view.setUint16(start + headerBytes + 2, end - reach);
    this.#header(start, end, MessageType.Update);
    return { end, prefixes: filled.count };
  }

  /** Layout: `header | withdrawn length | withdrawn routes | attributes length = 0`. */
  #withdrawClassic(source: PrefixSource, start: number): { end: number; prefixes: number } {
    const routes = start + headerBytes + 2;
    const { end, count } = this.#fill(source, routes, start + this.#session.sendLimit - 2);
    this.#view.setUint16(start + headerBytes, end - routes);
    this.#view.setUint16(end, 0);
    this.#header(start, end + 2, MessageType.Update);
    return { end: end + 2, prefixes: count };
  }

  /**
   * Layout: `header | withdrawn length = 0 | attributes length | MP_UNREACH_NLRI`. MP_UNREACH_NLRI is
   * `flags | 15 | length 2 | AFI 2 | SAFI | withdrawn routes`.
   */
  #withdrawMultiprotocol(
    family: Family,
    source: PrefixSource,
    start: number,
  ): { end: number; prefixes: number } {
    const { afi, safi } = addressFamily(family);
    const unreach = start + updateOverhead;
    this.#chunk[unreach] = optionalExtended;
    this.#chunk[unreach + 1] = AttributeType.mpUnreach;
    this.#view.setUint16(unreach + 4, afi);
    this.#chunk[unreach + 6] = safi;
    const { end, count } = this.#fill(source, unreach + 7, start + this.#session.sendLimit);
    this.#view.setUint16(unreach + 2, end - unreach - 4);
    this.#view.setUint16(start + headerBytes, 0);
    this.#view.setUint16(start + headerBytes + 2, end - unreach);
    this.#header(start, end, MessageType.Update);
    return { end, prefixes: count };
  }

  /** Layout: `header | AFI 2 | mark | SAFI` (RFC 7313 section 3.2). */
  #refreshMark(outgoing: Outgoing, start: number): number {
    const { afi, safi } = addressFamily(outgoing.family);
    this.#view.setUint16(start + headerBytes, afi);
    this.#chunk[start + headerBytes + 2] =
      outgoing.kind === 'refresh-begin' ? RefreshMark.begin : RefreshMark.end;
    this.#chunk[start + headerBytes + 3] = safi;
    this.#header(start, start + headerBytes + 4, MessageType.RouteRefresh);
    return start + headerBytes + 4;
  }

  /** Takes prefixes from the source as long as they fit before `limit`. */
  #fill(source: PrefixSource, from: number, limit: number): { end: number; count: number } {
    let end = from;
    let count = 0;
    for (let id = source.peek(); id !== undefined; id = source.peek()) {
      if (end + this.#prefixes.wireLength(id) > limit) break;
      end = this.#prefixes.write(id, this.#chunk, end);
      source.take();
      count++;
    }
    return { end, count };
  }

  /** Layout: `marker 16 | length 2 | type` (RFC 4271 section 4.1). */
  #header(start: number, end: number, type: number): void {
    this.#chunk.fill(0xff, start, start + 16);
    this.#view.setUint16(start + 16, end - start);
    this.#chunk[start + 18] = type;
  }

  /**
   * Octets that the attributes other than MP_REACH_NLRI may take. The remaining 128 octets hold the header and an MP_REACH_NLRI with one
   * prefix.
   */
  get #room(): number {
    return this.#session.sendLimit - 128;
  }

  /** True when routes of the family travel outside of MP_REACH_NLRI. */
  #isClassic(family: Family): boolean {
    return family === 4 && this.#session.nextHops[4]?.[0]?.family === 4;
  }

  /** The encoded attributes; `undefined` when they leave no room for a prefix. */
  #fitting(family: Family, set: RouteAttributes): Uint8Array | undefined {
    // An attribute of more than 65,535 octets cannot be encoded, so the size is estimated first.
    const { communities, largeCommunities, asPathPrepend } = set;
    if (4 * communities.length + 12 * largeCommunities.length + 2 * asPathPrepend > this.#room)
      return undefined;
    const attributes = this.#encoded(family, set);
    return attributes.length > this.#room ? undefined : attributes;
  }

  #encoded(family: Family, set: RouteAttributes): Uint8Array {
    const nextHop = this.#isClassic(family) ? this.#session.nextHops[4]?.[0] : undefined;
    return encodePathAttributes(pathAttributes(set, this.#session, nextHop), {
      fourOctetAs: this.#session.fourOctetAs,
    });
  }
}

const emptySource: PrefixSource = { peek: () => undefined, take: () => undefined };

/** The attributes of our route on a session: our AS number in AS_PATH on external sessions, LOCAL_PREF on internal ones. */
function pathAttributes(set: RouteAttributes, session: WireSession, nextHop?: IpAddress): PathAttributes {
  const { internal, localAsn } = session;
  return {
    origin: 'igp',
    asPath: internal ? [] : [{ type: 'sequence', asns: repeated(localAsn, set.asPathPrepend + 1) }],
    ...(nextHop ? { nextHop } : {}),
    ...(set.med === undefined ? {} : { med: set.med }),
    ...(internal ? { localPref: set.localPref ?? defaultLocalPref } : {}),
    ...(set.communities.length > 0 ? { communities: set.communities } : {}),
    ...(set.largeCommunities.length > 0 ? { largeCommunities: set.largeCommunities } : {}),
  };
}

function repeated(asn: number, times: number): readonly number[] {
  return new Array<number>(times).fill(asn);
}
