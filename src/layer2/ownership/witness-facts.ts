/**
 * The statements of a node about answers on the wire. As a witness, a node names the addresses of other nodes for which it gets no answer, and the
 * addresses on trial for which it gets answers. A node also names its mute addresses: those that it gives away because their witnesses got no
 * answer. These statements are part of the node's facts (node-facts.ts):
 *
 *     "witness":{"unanswered":{"node-1":["192.0.2.240"]},"answered":{"node-2":["192.0.2.241"]},"deaf":true},"mute":["192.0.2.242"]
 *
 * A node that is not a witness has no part `witness`. A version of Bellman that does not know these parts ignores them.
 */

/** Addresses in canonical text. `everyAddress` stands for all addresses of the node in question. */
export type AddressNames = ReadonlySet<string>;
export const everyAddress = '*';

/** Whether the set includes the address, by its name or by `everyAddress`. */
export function includesAddress(set: AddressNames | undefined, address: string): boolean {
  return set !== undefined && (set.has(address) || set.has(everyAddress));
}

export interface WitnessReport {
  /** By owner: the addresses for which the owner gives this witness no answer. */
  readonly unanswered: ReadonlyMap<string, AddressNames>;
  /** By node: the addresses on trial for which the node has answered this witness. */
  readonly answered: ReadonlyMap<string, AddressNames>;
  /** The witness gets no answer from any node, so it is at fault itself. It makes no statements about other nodes. */
  readonly isDeaf: boolean;
}

export interface WitnessFacts {
  /** `undefined` for a node that asks no questions. */
  readonly witness?: WitnessReport;
  /** Addresses that other nodes should answer for, because witnesses got no answer from this node. */
  readonly mute?: AddressNames;
}

export const emptyReport: WitnessReport = { unanswered: new Map(), answered: new Map(), isDeaf: false };

/** Longest list of addresses in the short form. */
const shortLength = 3;

/**
 * The JSON parts. With `isShort`, each list names at most `shortLength` addresses. A list of mute addresses that leaves some out begins with
 * `everyAddress`, so that the addresses left out do not return to the node. The list still names some addresses, because witnesses put only named
 * ones on trial.
 */
export function witnessToJson({ witness, mute }: WitnessFacts, isShort: boolean): Record<string, unknown> {
  // Two witnesses must name the same address before it moves, so both name the first ones in order.
  const list = (set: AddressNames) => (isShort ? [...set].sort().slice(0, shortLength) : [...set]);
  const muteList = (set: AddressNames) =>
    isShort && set.size > shortLength
      ? [...new Set([everyAddress, ...set])].slice(0, shortLength + 1)
      : [...set];
  const lists = (by: ReadonlyMap<string, AddressNames>) =>
    by.size === 0 ? undefined : Object.fromEntries([...by].map(([node, set]) => [node, list(set)]));
  // JSON leaves `undefined` out.
  return {
    ...(witness
      ? {
          witness: {
            unanswered: lists(witness.unanswered),
            answered: lists(witness.answered),
            deaf: witness.isDeaf || undefined,
          },
        }
      : {}),
    ...(mute && mute.size > 0 ? { mute: muteList(mute) } : {}),
  };
}

/** Longest list that is accepted from another node. */
const maxNames = 64;

/** Reads the parts that `witnessToJson` writes. Malformed parts are ignored. */
export function parseWitnessFacts(raw: object): WitnessFacts {
  const { witness, mute } = raw as { readonly witness?: unknown; readonly mute?: unknown };
  const muted = parseNames(mute);
  return {
    ...(typeof witness === 'object' && witness !== null ? { witness: parseReport(witness) } : {}),
    ...(muted.size > 0 ? { mute: muted } : {}),
  };
}

function parseReport(raw: object): WitnessReport {
  const { unanswered, answered, deaf } = raw as Record<string, unknown>;
  return { unanswered: parseLists(unanswered), answered: parseLists(answered), isDeaf: deaf === true };
}

function parseLists(raw: unknown): Map<string, AddressNames> {
  if (typeof raw !== 'object' || raw === null) return new Map();
  const lists = Object.entries(raw).map(([node, list]) => [node, parseNames(list)] as const);
  return new Map(lists.filter(([, set]) => set.size > 0));
}

function parseNames(raw: unknown): AddressNames {
  if (!Array.isArray(raw)) return new Set();
  return new Set(raw.slice(0, maxNames).filter((each: unknown) => typeof each === 'string'));
}
