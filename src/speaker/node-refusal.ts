import { excludeFromLoadBalancersLabel } from '../cluster/names.ts';
import type { Node } from '../kubernetes/model.ts';

export interface NodeRefusalRules {
  /** Whether a cordoned node stops announcing. Cordoning usually means that the node is about to be drained. */
  readonly leavesWhenCordoned: boolean;
  /** Whether a node announces although a label excludes it from load balancers. kubeadm sets that label on control-plane nodes. */
  readonly ignoresExcludeLabel: boolean;
}

/** Why a node may not carry load balancer traffic, or `undefined` when it may. */
export function nodeRefusal(
  name: string,
  node: Node | undefined,
  { leavesWhenCordoned, ignoresExcludeLabel }: NodeRefusalRules,
): string | undefined {
  if (!node) return `node ${name} is not known to Kubernetes`;
  if (!node.ready) return `node ${name} is not Ready`;
  if (node.networkUnavailable) return `the network of node ${name} is unavailable`;
  if (leavesWhenCordoned && node.unschedulable) return `node ${name} is cordoned`;
  if (!ignoresExcludeLabel && excludeFromLoadBalancersLabel in node.labels)
    return `node ${name} is labelled ${excludeFromLoadBalancersLabel}`;
  return undefined;
}

/**
 * The node's fields that affect plans, as text to compare. Other fields change every few seconds, and such a change causes no new plans.
 */
export function planningKey(name: string, node: Node | undefined, rules: NodeRefusalRules): string {
  if (!node) return '';
  const refusal = nodeRefusal(name, node, rules);
  return JSON.stringify([refusal, Object.entries(node.labels).sort(), node.internalIPs]);
}
