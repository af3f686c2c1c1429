/**
 * A death report is a Lease in which a speaker names the nodes that it finds dead. Speakers write these Leases, and the leading controller
 * reads them. A speaker writes its report when the nodes in the report change, so a report stays valid however old it is. A speaker also writes
 * an unchanged report when several other speakers do not answer, because the write shows the controller that the node of the writer lives.
 */
import type { RawObject } from '../kubernetes/api.ts';
import { ObjectReader } from '../kubernetes/object-reader.ts';
import { annotations, speakerPodSelector } from './names.ts';

export interface DeathReport {
  /** The node of the speaker. */
  readonly speaker: string;
  readonly deadNodes: readonly string[];
  readonly resourceVersion: string;
}

/** Bounds the size of a report. A speaker that finds more nodes dead than this is most likely cut off itself. */
const maxDeadNodes = 100;

const namePrefix = 'speaker-';

/** The name of the Lease. */
export function deathReportName(node: string): string {
  return `${namePrefix}${node}`;
}

/** The speaker whose report has this name; `undefined` if a Lease of this name is not a death report. */
export function speakerOfReport(name: string): string | undefined {
  return name.startsWith(namePrefix) ? name.slice(namePrefix.length) : undefined;
}

/**
 * The body of the Lease. It serves both as a merge patch and as a new object. `now` is the wall clock in milliseconds since 1970. People read
 * this time, and nothing compares it.
 */
export function deathReportBody(
  { name, uid }: { readonly name: string; readonly uid: string },
  deadNodes: readonly string[],
  now: number,
): object {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: deathReportName(name),
      labels: Object.fromEntries(speakerPodSelector.split(',').map((label) => label.split('='))),
      annotations: { [annotations.deadNodes]: deadNodes.slice(0, maxDeadNodes).join(',') },
      // When the Node is deleted, the garbage collector of Kubernetes deletes the report too.
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }],
    },
    // The API requires a MicroTime, which has six decimals.
    spec: { holderIdentity: name, renewTime: new Date(now).toISOString().replace('Z', '000Z') },
  };
}

/**
 * Returns `undefined` for a Lease that is not a death report. A speaker never names more than `maxDeadNodes`, so further names are ignored.
 * Without this limit, a hostile Lease with 100,000 names would make the controller compare each of them with every name of the previous report.
 */
export function decodeDeathReport(raw: RawObject): DeathReport | undefined {
  const metadata = new ObjectReader(raw).object('metadata');
  const speaker = speakerOfReport(metadata.requiredText('name'));
  if (speaker === undefined) return undefined;
  const text = metadata.textMap('annotations')[annotations.deadNodes] ?? '';
  return {
    speaker,
    deadNodes: text.split(',', maxDeadNodes).filter((node) => node !== ''),
    resourceVersion: metadata.text('resourceVersion') ?? '',
  };
}
