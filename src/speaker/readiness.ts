import type { AwaitedKind } from './initial-sync.ts';

export interface ReadinessView {
  readonly nodeName: string;
  /** Kinds of objects not read completely yet. */
  readonly missing: readonly AwaitedKind[];
  readonly hasNode: boolean;
  /** Faults that keep the speaker from doing what the configuration asks for. */
  readonly troubles: readonly string[];
}

/**
 * Why the speaker is not ready, one text per reason. The speaker is ready when a configuration is in force, the node exists, all objects
 * have been read, and there are no troubles.
 */
export function unreadyReasons({ nodeName, missing, hasNode, troubles }: ReadinessView): string[] {
  const reasons: string[] = [];
  if (missing.includes('config')) reasons.push('no accepted configuration yet');
  const lists = missing.filter((kind) => kind !== 'config');
  if (lists.length > 0) reasons.push(`not yet read from the API server: ${lists.join(', ')}`);
  // Until all nodes have been read, a missing node means nothing.
  if (!hasNode && !missing.includes('nodes')) reasons.push(`node ${nodeName} is not known to Kubernetes`);
  return [...reasons, ...troubles];
}
