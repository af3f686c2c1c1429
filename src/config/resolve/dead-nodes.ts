import type { DeadNodesConfig } from '../config.ts';
import { show } from '../errors.ts';
import type { Findings, RawConfig, Sound } from '../schema/index.ts';

const defaultMaxNodes: DeadNodesConfig['maxNodes'] = { kind: 'number', nodes: 1 };
/**
 * The controller marks a node only if more than half of all speakers report it dead. When half of the nodes or more are dead, too few speakers
 * are left to report them. A limit above 50% would therefore have no effect.
 */
const maxPercent = 50;

/** Returns `undefined` when the controller sets no Pods to not ready. */
export function resolveDeadNodes(
  raw: Sound<RawConfig>['dead-nodes'],
  findings: Findings,
): DeadNodesConfig | undefined {
  const limit = raw?.['max-nodes'];
  const maxNodes = limit === undefined ? defaultMaxNodes : readNodeLimit(limit, findings);
  return raw?.['mark-pods-not-ready'] === true && maxNodes ? { maxNodes } : undefined;
}

function readNodeLimit(limit: number | string, findings: Findings): DeadNodesConfig['maxNodes'] | undefined {
  if (typeof limit === 'number') return { kind: 'number', nodes: limit };
  const percent = /^\d{1,2}%$/.test(limit) ? Number.parseInt(limit, 10) : 0;
  if (percent >= 1 && percent <= maxPercent) return { kind: 'percentage', percent };
  findings.error(
    ['dead-nodes', 'max-nodes'],
    () => `expected a number from 1 to 1000, or a percentage from 1% to ${maxPercent}%, not ${show(limit)}`,
  );
  return undefined;
}
