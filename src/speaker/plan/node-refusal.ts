import { excludeFromLoadBalancersLabel, outOfServiceTaint } from '../../cluster/names.ts';
import type { Node } from '../../kubernetes/model.ts';
import { isMaintenancePlanned, isShuttingDown, type LeavingRules, leavingOf } from './leaving.ts';

const excludeLabelField = `Node metadata.labels[${excludeFromLoadBalancersLabel}]`;
const outOfServiceField = `Node spec.taints[key=${outOfServiceTaint}]`;

export interface NodeRefusalRules {
  /** Whether a node with the exclude-from-external-load-balancers label announces anyway. kubeadm sets that label on control-plane nodes. */
  readonly ignoresExcludeLabel: boolean;
}

/** The rules by which a speaker judges nodes. */
export interface NodeRules extends NodeRefusalRules, LeavingRules {}

/** Why a node must not carry load balancer traffic. */
export interface NodeRefusal {
  readonly reason: string;
  /** The object kind and field that caused the refusal, such as `Node metadata.name`. */
  readonly field: string;
}

/**
 * Why a node must not carry load balancer traffic, or `undefined` when it may. A node that must not carry it stops announcing at once. A
 * leaving node, such as one that is shutting down, may still carry traffic.
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

/** The parts of a Node that affect planning, as text to compare. Other changes, such as heartbeats, must not cause new plans. */
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
