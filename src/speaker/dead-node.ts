import type { KnownSpeakers, MemberStatus } from '../layer2/messages.ts';

/** What a node knows about other nodes when it decides whether to act for a dead node. */
export interface DeadNodeView {
  readonly self: string;
  /** All other members. */
  readonly members: readonly Pick<MemberStatus, 'node' | 'state'>[];
  /** Whether Kubernetes rules the node out as an announcer. */
  readonly isOut: (node: string) => boolean;
}

/**
 * Whether this node acts for a dead node, which can no longer correct its own records. Only the first live node by name acts. In a
 * partition, each side considers the nodes of the other side dead. A minority therefore acts for a node only if Kubernetes also rules that
 * node out as an announcer.
 */
export function actsForDeadNode(node: string, { self, members, isOut }: DeadNodeView): boolean {
  const present = members.filter(({ state }) => state !== 'left');
  const alive = present.filter(({ state }) => state !== 'dead').map((member) => member.node);
  if (node === self || alive.includes(node) || alive.some((other) => other < self)) return false;
  const isMajority = 2 * (alive.length + 1) > present.length + 1;
  return isMajority || isOut(node);
}

/**
 * The other speakers as Kubernetes sees them, for a node that has no membership. It has none when no pool is announced in layer 2, and
 * before it has joined.
 */
export function membersByKubernetes(
  { known }: KnownSpeakers,
  { self, isOut }: Pick<DeadNodeView, 'self' | 'isOut'>,
): DeadNodeView['members'] {
  return known.flatMap(({ node }) =>
    node === self ? [] : [{ node, state: isOut(node) ? ('dead' as const) : ('alive' as const) }],
  );
}
