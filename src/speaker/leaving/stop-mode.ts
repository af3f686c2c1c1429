import type { StopMode } from '../../bgp/index.ts';
import type { Node } from '../../kubernetes/model.ts';
import type { LeavingState } from './leaving-nodes.ts';

/**
 * How the BGP sessions end when the speaker stops. A node that leaves or is cordoned will probably stop too, so no new speaker is expected soon. On
 * any other node, the next speaker starts within seconds. A node that leaves, but has to keep addresses because of the floor, is treated like a
 * node that stays, so that the routers keep its routes.
 */
export function stopModeOf(
  nodeName: string,
  { leaving, isHeldByFloor }: Pick<LeavingState, 'leaving' | 'isHeldByFloor'>,
  node: Pick<Node, 'unschedulable'> | undefined,
): StopMode {
  const leaves = leaving ? !isHeldByFloor : node?.unschedulable;
  return leaves ? { kind: 'shutdown', reason: `node drain: ${nodeName}` } : { kind: 'restart' };
}
