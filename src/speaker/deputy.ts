import type { MemberStatus } from '../layer2/messages.ts';

/**
 * Whether this node is the one that speaks for another which is gone: the first by name of those alive. In a partition each side
 * takes the other for gone, so a minority speaks for nobody whom Kubernetes still takes for well.
 */
export function isDeputyFor(
  node: string,
  view: {
    readonly self: string;
    /** Without this node. */
    readonly members: readonly Pick<MemberStatus, 'node' | 'state'>[];
    /** Whether Kubernetes says that the node can announce nothing. */
    readonly isOut: (node: string) => boolean;
  },
): boolean {
  const known = view.members.filter(({ state }) => state !== 'left');
  const alive = known.filter(({ state }) => state !== 'dead').map((member) => member.node);
  if (node === view.self || alive.includes(node) || alive.some((other) => other < view.self)) return false;
  return 2 * (alive.length + 1) > known.length + 1 || view.isOut(node);
}
