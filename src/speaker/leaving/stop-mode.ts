import type { StopMode } from '../../bgp/index.ts';
import type { Node } from '../../kubernetes/model.ts';
import type { LeavingState } from './leaving-nodes.ts';

/**
 * How the BGP sessions end when the speaker stops. On a node that leaves or is cordoned, no new speaker starts soon. On any other node, the next
 * speaker starts within seconds. A node that leaves but still announces addresses is treated like a node that stays, so that the routers keep its
 * routes.
 */
export function stopModeOf(
  nodeName: string,
  { leaving, isHeldByFloor }: Pick<LeavingState, 'leaving' | 'isHeldByFloor'>,
  node: Pick<Node, 'unschedulable'> | undefined,
): StopMode {
  const leaves = leaving ? !isHeldByFloor : node?.unschedulable;
  return leaves ? { kind: 'shutdown', reason: `node drain: ${nodeName}` } : { kind: 'restart' };
}
