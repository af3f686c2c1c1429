/** The report of the leader about dead nodes, in sentences without a full stop. Pure. */
import type { ClusterView } from './view.ts';
import { shortList } from './words.ts';

export interface DeadNodeTrouble {
  /** The name of the node; empty for the whole cluster. */
  readonly node: string;
  readonly text: string;
}

/** The nodes that are reported dead, and what keeps the controller from noticing deaths. */
export function deadNodeTroubles({ controller }: Pick<ClusterView, 'controller'>): DeadNodeTrouble[] {
  const { missingRights = [], withoutReport = [], nodes = [] } = controller?.deadNodes ?? {};
  const reported = nodes.map(({ node, state, reports, speakers, reason }) => ({
    node,
    text:
      state === 'marked'
        ? `node ${node} is dead: ${reports} of ${speakers} speakers get no answer from it, and its Pods are set to not ready`
        : `node ${node} is reported dead by ${reports} of ${speakers} speakers, but its Pods are not marked: it ${reason}`,
  }));
  return [
    ...reported,
    ...(missingRights.length === 0
      ? []
      : [
          {
            node: '',
            text: `the configuration has dead-nodes, but the controller may not ${missingRights.join(', ')}: apply manifests/dead-nodes/`,
          },
        ]),
    ...(withoutReport.length === 0
      ? []
      : [{ node: '', text: `no death report has arrived from ${shortList(withoutReport)}` }]),
  ];
}
