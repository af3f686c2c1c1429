/**
 * Whether a node leaves: it will stop or get maintenance, and other nodes should announce its addresses first. A node that must not announce
 * (`nodeRefusal`) stops announcing at once. A leaving node keeps an address while too few other nodes could announce it (`floor.ts`). Otherwise it
 * gives the address up: in BGP after the drain delay, in layer 2 by a handover.
 *
 *   annotation of Bellman         bellman.dev/maintenance
 *   conditions of the life cycle  MaintenanceInProgress, DrainInProgress, Drained, GracefulNodeShutdownInProgress (KEP-5683)
 *   shutdown of the kubelet       Ready is False, and the message says "node is shutting down" (KEP-2000)
 *   deletion of the Node          metadata.deletionTimestamp
 *   cluster autoscaler            taint ToBeDeletedByClusterAutoscaler (KEP-3836)
 *   taints by choice              `leave-on-taints` of the configuration
 *   cordon                        only with --leave-when-cordoned: people cordon nodes for other reasons too
 */
import { maintenanceAnnotation } from '../../cluster/names.ts';
import type { TaintMatch, Toleration } from '../../config/config.ts';
import type { Node, Taint } from '../../kubernetes/model.ts';

/** If several causes hold, the first one in this order counts. */
export const leavingCauses = [
  'maintenance',
  'life-cycle',
  'shutdown',
  'deletion',
  'autoscaler',
  'taint',
  'cordon',
] as const;
export type LeavingCause = (typeof leavingCauses)[number];

export interface Leaving {
  readonly cause: LeavingCause;
  /** The cause in words that follow the name of the node in a sentence: `is tainted …`. */
  readonly reason: string;
  /** The object kind and field that make the node leave, such as `Node spec.unschedulable`. */
  readonly field: string;
  /** When the cause began, RFC 3339, if the Node says so. */
  readonly since?: string;
}

export interface LeavingRules {
  /** Whether a cordoned node leaves. */
  readonly leavesWhenCordoned: boolean;
  readonly leaveOnTaints: readonly TaintMatch[];
}

/** Conditions of the life cycle that make a node leave while they are True, with their meaning. */
const lifeCycle: ReadonlyMap<string, string> = new Map([
  ['MaintenanceInProgress', 'is in maintenance'],
  ['DrainInProgress', 'is being drained'],
  ['Drained', 'is drained'],
  ['GracefulNodeShutdownInProgress', 'is shutting down'],
]);
/** The kubelet joins this text with other messages. */
const shutdownMessage = 'node is shutting down';
const maintenanceField = `Node metadata.annotations[${maintenanceAnnotation}]`;
const autoscalerTaint = 'ToBeDeletedByClusterAutoscaler';

/** Whether the kubelet has reported that the node is shutting down. The node is then not Ready, but it still forwards traffic. */
export function isShuttingDown(node: Node): boolean {
  return shutdownOf(node) !== undefined;
}

/** Whether maintenance is planned (KEP-5683). Such a node does not leave, but it gets no new layer-2 addresses while other nodes can have them. */
export function isMaintenancePlanned({ conditions }: Node): boolean {
  return conditions.some(({ type, status }) => type === 'MaintenancePlanned' && status === 'True');
}

/** Why the node leaves, or `undefined` when it does not. */
export function leavingOf(node: Node, rules: LeavingRules): Leaving | undefined {
  const reason = node.annotations[maintenanceAnnotation];
  if (reason !== undefined) {
    const why = reason === '' ? '' : `: ${reason}`;
    return { cause: 'maintenance', reason: `is in maintenance by annotation${why}`, field: maintenanceField };
  }
  return (
    byLifeCycle(node) ?? shutdownOf(node) ?? byDeletion(node) ?? byTaint(node, rules) ?? byCordon(node, rules)
  );
}

/** Why each leaving node leaves, by its name. */
export function leavingNodes(nodes: ReadonlyMap<string, Node>, rules: LeavingRules): Map<string, Leaving> {
  const found = new Map<string, Leaving>();
  for (const [name, node] of nodes) {
    const leaving = leavingOf(node, rules);
    if (leaving) found.set(name, leaving);
  }
  return found;
}

function byLifeCycle({ conditions }: Node): Leaving | undefined {
  for (const { type, status, reason, lastTransitionTime } of conditions) {
    const meaning = lifeCycle.get(type);
    if (meaning === undefined || status !== 'True') continue;
    const why = reason === '' ? '' : `, ${reason}`;
    return {
      cause: 'life-cycle',
      reason: `${meaning} (${type}${why})`,
      field: `Node status.conditions[type=${type}]`,
      ...sinceOf(lastTransitionTime),
    };
  }
  return undefined;
}

function shutdownOf({ conditions }: Node): Leaving | undefined {
  const ready = conditions.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'False' || !ready.message.includes(shutdownMessage)) return undefined;
  return {
    cause: 'shutdown',
    reason: 'is shutting down',
    field: 'Node status.conditions[type=Ready]',
    ...sinceOf(ready.lastTransitionTime),
  };
}

function byDeletion({ deletedAt }: Node): Leaving | undefined {
  if (deletedAt === undefined) return undefined;
  return {
    cause: 'deletion',
    reason: 'is being deleted from Kubernetes',
    field: 'Node metadata.deletionTimestamp',
    since: deletedAt,
  };
}

function byTaint({ taints }: Node, { leaveOnTaints }: LeavingRules): Leaving | undefined {
  const autoscaler = taints.find(({ key }) => key === autoscalerTaint);
  if (autoscaler)
    return {
      cause: 'autoscaler',
      reason: 'is about to be deleted by the cluster autoscaler',
      field: taintField(autoscaler),
      ...sinceOf(autoscaler.timeAdded),
    };
  const taint = taints.find((each) => leaveOnTaints.some((match) => matches(match, each)));
  if (!taint) return undefined;
  const value = taint.value === '' ? '' : `=${taint.value}`;
  return {
    cause: 'taint',
    reason: `is tainted ${taint.key}${value}:${taint.effect}`,
    field: taintField(taint),
    ...sinceOf(taint.timeAdded),
  };
}

function byCordon({ unschedulable }: Node, { leavesWhenCordoned }: LeavingRules): Leaving | undefined {
  if (!leavesWhenCordoned || !unschedulable) return undefined;
  return { cause: 'cordon', reason: 'is cordoned', field: 'Node spec.unschedulable' };
}

function taintField({ key }: Taint): string {
  return `Node spec.taints[key=${key}]`;
}

function matches({ key, value, effect, tolerations }: TaintMatch, taint: Taint): boolean {
  if (taint.effect !== 'NoSchedule' && taint.effect !== 'NoExecute') return false;
  if (key !== undefined && key !== taint.key) return false;
  if (value !== undefined && value !== taint.value) return false;
  if (effect !== undefined && effect !== taint.effect) return false;
  return !tolerations.some((toleration) => tolerates(toleration, taint));
}

/** Applies the rules by which a toleration of a Pod matches a taint. */
function tolerates({ key, operator, value, effect }: Toleration, taint: Taint): boolean {
  if (key !== undefined && key !== taint.key) return false;
  if (effect !== undefined && effect !== taint.effect) return false;
  return operator === 'Exists' || value === taint.value;
}

function sinceOf(time: string | undefined): Pick<Leaving, 'since'> {
  return time === undefined ? {} : { since: time };
}
