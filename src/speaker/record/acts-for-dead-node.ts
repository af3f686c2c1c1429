import type { Clock } from '../../clock.ts';
import type { KnownSpeakers, MemberStatus } from '../../layer2/messages.ts';

/** The knowledge about other nodes by which a node decides whether to act for a dead one. */
export interface DeadNodeView {
  readonly self: string;
  /** All other members. Pass a new list after a change, because the counts are kept by list. */
  readonly members: readonly Pick<MemberStatus, 'node' | 'state'>[];
  /** Whether Kubernetes rules the node out as an announcer. */
  readonly isOut: (node: string) => boolean;
}

/** Whether this node acts for a dead node, which can no longer correct its own records. Only the first live node by name acts. */
export function actsForDeadNode(node: string, view: DeadNodeView): boolean {
  const { firstAlive } = countsOf(view.members);
  return (firstAlive === undefined || firstAlive >= view.self) && isDeadNode(node, view);
}

/**
 * Whether a node is dead and therefore corrects no records. In a partition, each side considers the nodes of the other side dead. To a side
 * with at most half of the nodes, a node is therefore dead only if Kubernetes also rules that node out as an announcer.
 */
export function isDeadNode(node: string, { self, members, isOut }: DeadNodeView): boolean {
  const { alive, present } = countsOf(members);
  if (node === self || alive.has(node)) return false;
  const isMoreThanHalf = 2 * (alive.size + 1) > present + 1;
  return isMoreThanHalf || isOut(node);
}

interface MemberCounts {
  readonly alive: ReadonlySet<string>;
  /** The live member that comes first by name. */
  readonly firstAlive: string | undefined;
  /** Number of members that have not left. */
  readonly present: number;
}

/** The counts of each list of members. A sweep over thousands of announcing records uses the same list for each line. */
const counted = new WeakMap<DeadNodeView['members'], MemberCounts>();

function countsOf(members: DeadNodeView['members']): MemberCounts {
  const known = counted.get(members);
  if (known) return known;
  const present = members.filter(({ state }) => state !== 'left');
  const names = present.filter(({ state }) => state !== 'dead').map((member) => member.node);
  const counts = { alive: new Set(names), firstAlive: names.toSorted()[0], present: present.length };
  counted.set(members, counts);
  return counts;
}

/**
 * The other speakers as Kubernetes sees them, for a node that has no membership. A node has no membership while its layer-2 process does
 * not run, and before it has joined.
 */
export function membersByKubernetes(
  { known }: KnownSpeakers,
  { self, isOut }: Pick<DeadNodeView, 'self' | 'isOut'>,
): DeadNodeView['members'] {
  return known.flatMap(({ node }) =>
    node === self ? [] : [{ node, state: isOut(node) ? ('dead' as const) : ('alive' as const) }],
  );
}

/**
 * How long a list of members by Kubernetes is kept. A list of this age does no harm, because the line of a dead node stays in a record for several
 * seconds anyway (`patienceMs` in announcing-reconciler.ts).
 */
const keptForMs = 1000;

interface KeptMembersOptions extends Pick<DeadNodeView, 'self' | 'isOut'> {
  readonly clock: Clock;
  readonly speakers: () => KnownSpeakers;
}

/**
 * Returns a function that returns the list of `membersByKubernetes()`. The function makes a new list at most once a second. A sweep needs the list
 * for each line of thousands of records, and for a new list, all speakers are judged and counted again.
 */
export function keptMembersByKubernetes({
  clock,
  speakers,
  ...judge
}: KeptMembersOptions): () => DeadNodeView['members'] {
  let kept: { readonly members: DeadNodeView['members']; readonly untilMs: number } | undefined;
  return () => {
    const nowMs = clock.now();
    if (!kept || kept.untilMs <= nowMs)
      kept = { members: membersByKubernetes(speakers(), judge), untilMs: nowMs + keptForMs };
    return kept.members;
  };
}
