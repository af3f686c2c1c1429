import type { AcceptedConfig } from '../../cluster/accepted-config.ts';
import { acceptedConfigMapName, annotations, configMapKey, configMapName } from '../../cluster/names.ts';
import { printable } from '../../printable.ts';
import type { ClusterView } from './view.ts';

/** A part of the report, and whether it describes the desired state. */
export interface Finding {
  readonly text: string;
  readonly isAsDesired: boolean;
}

const maxErrorCharacters = 1024;

/** Describes the configuration in force, and the verdict on the text of the ConfigMap. */
export function describeConfiguration(
  { namespace, configMap, acceptedCopy }: ClusterView,
  accepted: AcceptedConfig | undefined,
): Finding {
  if (!configMap) {
    const kept = accepted
      ? `; the configuration accepted as ${accepted.hash} at ${accepted.at} stays in force (kept on ${acceptedCopy?.name ?? acceptedConfigMapName})`
      : '';
    return { text: `ConfigMap ${namespace}/${configMapName} does not exist${kept}`, isAsDesired: false };
  }
  const isEdited = accepted !== undefined && configMap.data[configMapKey] !== accepted.text;
  const marked = configMap.annotations[annotations.configStatus];
  // Until the controller has judged an edit, the status annotation still belongs to the text before the edit.
  const state =
    marked === undefined || (marked === 'active' && isEdited)
      ? 'not judged yet'
      : printable(marked, maxErrorCharacters);
  const inForce = accepted ? ` (accepted ${accepted.hash} at ${accepted.at})` : '';
  const error = configMap.annotations[annotations.configError] ?? '';
  const errorLines = error
    .split('\n')
    .map((line) => printable(line, maxErrorCharacters))
    .filter(Boolean);
  const warnings = printable(configMap.annotations[annotations.configWarnings] ?? '', maxErrorCharacters);
  const notes = [...errorLines, ...(warnings === '' ? [] : [`warning: ${warnings}`])];
  const text = [`${state}${inForce}`, ...notes.map((line) => `  ${line}`)].join('\n');
  return { text, isAsDesired: state === 'active' };
}

/**
 * Describes which replica of the controller leads, according to the Lease. The clock of this machine may differ from the clock of the replica that
 * wrote the Lease. The replica's own answer therefore outweighs the age of the Lease.
 */
export function describeController({ lease, controller }: ClusterView): Finding {
  if (!lease) return { text: 'unknown: there is no Lease, or you may not read it', isAsDesired: true };
  if (lease.holder === '') return { text: 'no replica leads: the Lease was given back', isAsDesired: false };
  const age = `${Math.max(0, Math.round(lease.ageMs / 1000))} s ago`;
  if (lease.ageMs > lease.durationMs && !controller?.leading)
    return { text: `no replica leads: ${lease.holder} last renewed its Lease ${age}`, isAsDesired: false };
  const waiting = controller?.waitingFor ?? [];
  const sync = waiting.length === 0 ? '' : `, still reads ${waiting.join(', ')}`;
  return { text: `${lease.holder} leads, Lease renewed ${age}${sync}`, isAsDesired: true };
}
