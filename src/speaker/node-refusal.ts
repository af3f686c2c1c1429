import { excludeFromLoadBalancersLabel } from '../cluster/names.ts';
import type { Node } from '../kubernetes/model.ts';

const excludeLabelField = `Node metadata.labels[${excludeFromLoadBalancersLabel}]`;

export interface NodeRefusalRules {
  /** Whether a cordoned node stops announcing. Cordoning usually means that the node is about to be drained. */
  readonly leavesWhenCordoned: boolean;
  /** Whether a node announces although a label excludes it from load balancers. kubeadm sets that label on control-plane nodes. */
  readonly ignoresExcludeLabel: boolean;
}

/** Why a node may not carry load balancer traffic. */
export interface NodeRefusal {
  readonly reason: string;
  /** The kind of the object and its field that decide, such as `Node spec.unschedulable`. */
  readonly field: string;
}

/** Why a node may not carry load balancer traffic, or `undefined` when it may. */
export function nodeRefusal(
  name: string,
  node: Node | undefined,
  { leavesWhenCordoned, ignoresExcludeLabel }: NodeRefusalRules,
): NodeRefusal | undefined {
  if (!node) return { reason: `node ${name} is not known to Kubernetes`, field: 'Node metadata.name' };
  if (!node.ready)
    return { reason: `node ${name} is not Ready`, field: 'Node status.conditions[type=Ready]' };
  if (node.networkUnavailable) {
    const reason = `the network of node ${name} is unavailable`;
    return { reason, field: 'Node status.conditions[type=NetworkUnavailable]' };
  }
  if (leavesWhenCordoned && node.unschedulable)
    return { reason: `node ${name} is cordoned`, field: 'Node spec.unschedulable' };
  if (!ignoresExcludeLabel && excludeFromLoadBalancersLabel in node.labels)
    return { reason: `node ${name} is labelled ${excludeFromLoadBalancersLabel}`, field: excludeLabelField };
  return undefined;
}

/**
 * The node's fields that affect plans, as text to compare. Other fields change every few seconds, and such a change causes no new plans.
 */
export function planningKey(name: string, node: Node | undefined, rules: NodeRefusalRules): string {
  if (!node) return '';
  const refusal = nodeRefusal(name, node, rules);
  return JSON.stringify([refusal?.reason, Object.entries(node.labels).sort(), node.internalIPs]);
}
