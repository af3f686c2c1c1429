/** The type of a row in the table of path attributes, and functions that make the rows of similar attributes. */
import type { PathAttributes } from '../message.ts';
import { UpdateSubcode } from './errors.ts';
import { OctetWriter } from './octet-writer.ts';
import { readUint32 } from './octets.ts';
import type { ReceiveOptions, SendOptions } from './options.ts';

/** Attribute flags (RFC 4271 section 4.3). */
export const Flag = { optional: 0x80, transitive: 0x40, partial: 0x20, extendedLength: 0x10 } as const;
/** The classes of attributes (RFC 4271 section 5). */
export const wellKnown = Flag.transitive;
export const optional = Flag.optional;
export const optionalTransitive = Flag.optional | Flag.transitive;

/** IANA type codes of the attributes that files other than attribute-rows.ts need by name. */
export const AttributeType = { origin: 1, asPath: 2, nextHop: 3, mpReach: 14, mpUnreach: 15 } as const;

/** The attributes decoded so far, while a list is being read. */
export type Draft = { -readonly [K in keyof PathAttributes]: PathAttributes[K] } & {
  /** RFC 6793: AS4_PATH and AS4_AGGREGATOR of a peer with two-octet AS numbers. */
  as4Path?: PathAttributes['asPath'];
  as4Aggregator?: PathAttributes['aggregator'];
};

/** Why a value is malformed or not allowed, with the subcode of the UPDATE Message Error (RFC 4271 section 6.3). */
export interface Problem {
  readonly subcode: number;
  readonly text: string;
  /** Overrides the row's treatment. */
  readonly treatment?: 'discard' | 'withdraw';
}

/** One path attribute: its flags, its errors, its decoder and its encoder. */
export interface AttributeRow {
  readonly name: string;
  /** The Optional and Transitive flags that the attribute must have. */
  readonly flags: number;
  /** How RFC 7606 treats a malformed value. */
  readonly treatment: 'discard' | 'withdraw';
  /** The attribute is discarded when an external peer sends it, whatever its value (RFC 7606 sections 7.5, 7.9 and 7.10). */
  readonly isInternal?: true;
  /**
   * Stores the value in the draft, or returns a problem when it is malformed. A malformed value that can still be read is stored as well.
   */
  decode(value: Uint8Array, draft: Draft, options: ReceiveOptions): Problem | undefined;
  /**
   * The value to send; `undefined` when the attribute is absent. A row without `encode` is for an attribute that we never originate: its value
   * is kept unparsed in `unknown`.
   */
  encode?(attributes: PathAttributes, options: SendOptions): Uint8Array | undefined;
}

/** The problem to return for a value whose length the attribute does not allow. */
export function wrongLength(value: Uint8Array): Problem {
  return { subcode: UpdateSubcode.length, text: `the value has ${value.length} octets` };
}

/** True when the value consists of one or more elements, each `octets` long. */
export function isRowsOf(value: Uint8Array, octets: number): boolean {
  return value.length > 0 && value.length % octets === 0;
}

/** Makes the row of an attribute whose value is a four-octet number. */
export function number(name: string, flags: number, key: 'med' | 'localPref' | 'originatorId'): AttributeRow {
  return {
    name,
    flags,
    treatment: 'withdraw',
    decode(value, draft) {
      if (value.length !== 4) return wrongLength(value);
      draft[key] = readUint32(value, 0);
      return undefined;
    },
    encode(attributes) {
      const value = attributes[key];
      return value === undefined ? undefined : new OctetWriter().uint32(value).finish();
    },
  };
}

type ListKey = 'communities' | 'clusterList' | 'extendedCommunities' | 'largeCommunities';
type Element<K extends ListKey> = NonNullable<PathAttributes[K]>[number];

/** Makes the row of an attribute whose value is one or more elements of equal size. An empty list is not sent. */
export function list<K extends ListKey>(
  name: string,
  key: K,
  octets: number,
  form: {
    readonly flags: number;
    read(value: Uint8Array, at: number): Element<K>;
    write(element: Element<K>, writer: OctetWriter): void;
  },
): AttributeRow {
  return {
    name,
    flags: form.flags,
    treatment: 'withdraw',
    decode(value, draft) {
      if (!isRowsOf(value, octets)) return wrongLength(value);
      const elements: Element<K>[] = [];
      for (let at = 0; at < value.length; at += octets) elements.push(form.read(value, at));
      Object.assign(draft, { [key]: elements });
      return undefined;
    },
    encode(attributes) {
      const elements: readonly Element<K>[] = attributes[key] ?? [];
      if (elements.length === 0) return undefined;
      const writer = new OctetWriter();
      for (const element of elements) form.write(element, writer);
      return writer.finish();
    },
  };
}

/** Makes the row of an optional transitive attribute whose value is validated as its RFC requires, but kept as octets. */
export function judged(name: string, judge: (value: Uint8Array) => Problem | undefined): AttributeRow {
  return { name, flags: optionalTransitive, treatment: 'withdraw', decode: judge };
}
