import { excludeFromLoadBalancersLabel, outOfServiceTaint } from '../../cluster/names.ts';
import type { Node } from '../../kubernetes/model.ts';
import { isMaintenancePlanned, isShuttingDown, type LeavingRules, leavingOf } from './leaving.ts';

const excludeLabelField = `Node metadata.labels[${excludeFromLoadBalancersLabel}]`;
const outOfServiceField = `Node spec.taints[key=${outOfServiceTaint}]`;

export interface NodeRefusalRules {
  /** Whether a node announces although a label excludes it from load balancers. kubeadm sets that label on control-plane nodes. */
  readonly ignoresExcludeLabel: boolean;
}

/** The rules by which a speaker judges nodes. */
export interface NodeRules extends NodeRefusalRules, LeavingRules {}

/** Why a node may not carry load balancer traffic. */
export interface NodeRefusal {
  readonly reason: string;
  /** The kind of the object and its field that decide, such as `Node metadata.name`. */
  readonly field: string;
}

/**
 * Why a node may not carry load balancer traffic, or `undefined` when it may. A node that may not carry it stops announcing at once. A node
 * that leaves, such as one that is shutting down, may still carry traffic.
 */
export function nodeRefusal(
  name: string,
  node: Node | undefined,
  { ignoresExcludeLabel }: NodeRefusalRules,
): NodeRefusal | undefined {
  if (!node) return { reason: `node ${name} is not known to Kubernetes`, field: 'Node metadata.name' };
  if (!node.ready && !isShuttingDown(node))
    return { reason: `node ${name} is not Ready`, field: 'Node status.conditions[type=Ready]' };
  if (node.networkUnavailable) {
    const reason = `the network of node ${name} is unavailable`;
    return { reason, field: 'Node status.conditions[type=NetworkUnavailable]' };
  }
  if (node.taints.some(({ key }) => key === outOfServiceTaint))
    return { reason: `node ${name} is tainted ${outOfServiceTaint}`, field: outOfServiceField };
  if (!ignoresExcludeLabel && excludeFromLoadBalancersLabel in node.labels)
    return { reason: `node ${name} is labelled ${excludeFromLoadBalancersLabel}`, field: excludeLabelField };
  return undefined;
}

/**
 * The node's fields that affect plans, as text to compare. Other fields change every few seconds, and such a change causes no new plans.
 */
export function planningKey(name: string, node: Node | undefined, rules: NodeRules): string {
  if (!node) return '';
  const refusal = nodeRefusal(name, node, rules);
  return JSON.stringify([
    refusal?.reason,
    leavingOf(node, rules),
    isMaintenancePlanned(node),
    Object.entries(node.labels).sort(),
    node.internalIPs,
  ]);
}
