/** The types of BGP messages. They are the same for sent and received messages. */
import type { IpAddress, Prefix } from '../address/index.ts';

/** Address family identifiers (RFC 4760 section 3, assigned by IANA). This speaker supports only unicast. */
export const Afi = { IPv4: 1, IPv6: 2 } as const;
export type Afi = (typeof Afi)[keyof typeof Afi];
export const safiUnicast = 1;

/** Message types (RFC 4271 section 4.1, RFC 2918 section 3). */
export const MessageType = { Open: 1, Update: 2, Notification: 3, Keepalive: 4, RouteRefresh: 5 } as const;

export interface AddressFamily {
  readonly afi: number;
  readonly safi: number;
}

/** A capability of an OPEN (RFC 5492). `unknown` keeps the octets of a capability that this speaker does not interpret. */
export type Capability =
  | { readonly kind: 'multiprotocol'; readonly family: AddressFamily }
  | { readonly kind: 'route-refresh' }
  | {
      readonly kind: 'extended-next-hop';
      readonly tuples: readonly (AddressFamily & { readonly nextHopAfi: number })[];
    }
  | { readonly kind: 'extended-message' }
  | { readonly kind: 'role'; readonly role: number }
  | {
      readonly kind: 'graceful-restart';
      readonly restarting: boolean;
      /** The N bit (RFC 8538 section 2): a NOTIFICATION starts a graceful restart as well. */
      readonly notification: boolean;
      readonly restartTimeSeconds: number;
      readonly families: readonly (AddressFamily & { readonly forwarding: boolean })[];
    }
  | {
      readonly kind: 'long-lived-graceful-restart';
      readonly families: readonly (AddressFamily & {
        readonly forwarding: boolean;
        /** Long-Lived Stale Time. */
        readonly staleTimeSeconds: number;
      })[];
    }
  | { readonly kind: 'four-octet-as'; readonly asn: number }
  | {
      readonly kind: 'add-path';
      readonly tuples: readonly (AddressFamily & { readonly mode: number })[];
    }
  | { readonly kind: 'enhanced-route-refresh' }
  /** draft-ietf-idr-bgp-bfd-strict-mode. */
  | { readonly kind: 'bfd-strict' }
  | { readonly kind: 'fqdn'; readonly host: string; readonly domain: string }
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array };

export interface OpenMessage {
  readonly kind: 'open';
  readonly version: number;
  /** The 2-octet field. It holds AS_TRANS (23456) when the real AS number needs four octets. */
  readonly myAs: number;
  readonly holdTimeSeconds: number;
  readonly routerId: number;
  readonly capabilities: readonly Capability[];
}

export type AsPathSegment = {
  readonly type: 'set' | 'sequence' | 'confed-sequence' | 'confed-set';
  readonly asns: readonly number[];
};

/** A large community (RFC 8092): global administrator, local data 1, local data 2. */
export type LargeCommunity = readonly [number, number, number];

export interface UnknownAttribute {
  readonly type: number;
  readonly flags: number;
  readonly value: Uint8Array;
}

/** Path attributes of an UPDATE by their RFC names. A property is absent when the UPDATE lacks the attribute. */
export interface PathAttributes {
  readonly origin?: 'igp' | 'egp' | 'incomplete';
  readonly asPath?: readonly AsPathSegment[];
  readonly nextHop?: IpAddress;
  readonly med?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: boolean;
  readonly aggregator?: { readonly asn: number; readonly address: IpAddress };
  /** RFC 1997. */
  readonly communities?: readonly number[];
  readonly originatorId?: number;
  readonly clusterList?: readonly number[];
  /** RFC 4360: eight octets each. */
  readonly extendedCommunities?: readonly Uint8Array[];
  /** RFC 8092. */
  readonly largeCommunities?: readonly LargeCommunity[];
  /** RFC 9234: Only to Customer. */
  readonly onlyToCustomer?: number;
  readonly mpReach?: MpReach;
  readonly mpUnreach?: AddressFamily & { readonly withdrawn: NlriSequence };
  /** Attributes that this speaker does not interpret, including MP_REACH_NLRI and MP_UNREACH_NLRI of families that it does not support. */
  readonly unknown?: readonly UnknownAttribute[];
}

/** A prefix of an UPDATE. `pathId` is the path identifier (RFC 7911). The codec supports it, but this speaker never offers ADD-PATH. */
export interface Nlri extends Prefix {
  readonly pathId?: number;
}

/** The prefixes of a message: an array, or the codec's NlriList, which creates a value for each prefix only during iteration. */
export interface NlriSequence extends Iterable<Nlri> {
  readonly length: number;
}

export interface MpReach extends AddressFamily {
  /** One address, or a global address and a link-local address (RFC 2545 section 3). */
  readonly nextHops: readonly IpAddress[];
  readonly nlri: NlriSequence;
}

export interface UpdateMessage {
  readonly kind: 'update';
  readonly withdrawn: NlriSequence;
  readonly attributes: PathAttributes;
  readonly nlri: NlriSequence;
}

export interface NotificationMessage {
  readonly kind: 'notification';
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

/** Code, subcode and data of a NOTIFICATION, sent or received (RFC 4271 section 4.5). */
export interface NotificationError {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
  /** A detail for the log. It is not sent. */
  readonly text?: string;
}

export interface KeepaliveMessage {
  readonly kind: 'keepalive';
}

/** A ROUTE-REFRESH (RFC 2918). RFC 7313 defines the subtypes: 0 request, 1 begin, 2 end. */
export interface RouteRefreshMessage extends AddressFamily {
  readonly kind: 'route-refresh';
  readonly subtype: number;
}

export type Message =
  | OpenMessage
  | UpdateMessage
  | NotificationMessage
  | KeepaliveMessage
  | RouteRefreshMessage;
