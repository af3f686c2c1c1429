import type { IpAddress } from '../../address/index.ts';
import { carries, type Link } from '../../link/link-table.ts';
import { type AddressEntry, interfacesOf } from '../address-entry.ts';
import { type Claim, isReleasedByOwner } from '../ownership/claim.ts';
import type { NodeFacts } from '../ownership/node-facts.ts';
import type { Steps } from '../ownership/steps.ts';
import { everyAddress, includesAddress } from '../ownership/witness-facts.ts';
import type { Control, Subject } from './questioner.ts';
import type { RankedAddress, WitnessRanking } from './ranking.ts';

/** The state that the choice of subjects depends on. */
export interface SubjectsInput {
  readonly self: string;
  /** Live nodes by name, including this one. */
  readonly nodes: ReadonlyMap<string, NodeFacts>;
  readonly ranking: WitnessRanking;
  /** All entries by address. */
  readonly entries: Iterable<readonly [address: string, tracked: RankedAddress]>;
  readonly claim: (address: string) => Claim | undefined;
}

/** The link and the family by which this node asks for an address, such as `eth0/4`. `undefined` when this node cannot ask on any link. */
function segmentOf(
  links: readonly Pick<Link, 'name' | 'subnets'>[],
  address: IpAddress,
  entry: AddressEntry | undefined,
  self: string,
): string | undefined {
  const interfaces = entry ? interfacesOf(entry, self) : [];
  const link = links.find(
    (each) =>
      carries(each, address, interfaces) && each.subnets.some(({ family }) => family === address.family),
  );
  return link && `${link.name}/${address.family}`;
}

/** Chooses the addresses that this node asks for, and the nodes that it asks. */
export function* chooseSubjects({ self, nodes, ranking, entries, claim }: SubjectsInput): Steps<Subject[]> {
  const own = nodes.get(self);
  const subjects: Subject[] = [];
  if (!own?.witness) return subjects;
  const muteNodes = [...nodes].filter(([node, { mute }]) => node !== self && mute !== undefined);
  const add = (tracked: RankedAddress, node: string, rest: Pick<Subject, 'role' | 'isUrgent'>): void => {
    const { entry, address } = tracked;
    const segment = segmentOf(own.links, address, entry, self);
    if (segment !== undefined) subjects.push({ address: entry.address, node, segment, ...rest });
  };
  for (const [text, tracked] of entries) {
    yield;
    const held = claim(text);
    if (!held || isReleasedByOwner(held)) continue;
    const { owner } = held;
    const facts = nodes.get(owner);
    if (facts && owner !== self && !facts.isStarting && !held.inConflict) {
      const [first = '', second] = ranking.witnesses(tracked, owner);
      const isUnanswered = includesAddress(nodes.get(first)?.witness?.unanswered.get(owner), text);
      if (first === self) add(tracked, owner, { role: 'owner', isUrgent: false });
      else if (second === self && isUnanswered) add(tracked, owner, { role: 'owner', isUrgent: true });
    }
    for (const [node, { mute }] of muteNodes) {
      if (node === owner || !mute?.has(text)) continue;
      const witnesses = ranking.witnesses(tracked, node);
      // An answer of the mute node looks like a conflict to the owner of the address. So the owner asks only if no other node can.
      const witness = witnesses.find((each) => each !== owner) ?? witnesses[0];
      if (witness === self) add(tracked, node, { role: 'trial', isUrgent: false });
    }
  }
  return subjects;
}

/** The addresses that a node names as mute, without `everyAddress`, which is not a single address. */
export function trialAddresses(mute: ReadonlySet<string> | undefined): string[] {
  return [...(mute ?? [])].filter((address) => address !== everyAddress);
}

/** Chooses the controls: the host addresses of other nodes. This node asks for them to find out whether answers reach it at all. */
export function chooseControls(
  self: string,
  nodes: ReadonlyMap<string, NodeFacts>,
  hosts: Iterable<readonly [node: string, text: string, address: IpAddress]>,
): Control[] {
  const own = nodes.get(self);
  const controls: Control[] = [];
  for (const [node, text, address] of hosts) {
    if (!own || node === self || !nodes.has(node)) continue;
    const segment = segmentOf(own.links, address, undefined, self);
    if (segment !== undefined) controls.push({ address: text, node, segment });
  }
  return controls;
}
