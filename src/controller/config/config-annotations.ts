/** Translates the verdict into annotations of the ConfigMap and of its copy. */
import { type AcceptedConfig, encodeAcceptedConfig } from '../../cluster/accepted-config.ts';
import { annotations, configMapKey } from '../../cluster/names.ts';
import { formatConfigError } from '../../config/index.ts';
import type { ConfigMap } from '../../kubernetes/model.ts';
import { printable } from '../../printable.ts';
import type { Verdict } from './config-verdict.ts';

/** Values to set; `null` removes an annotation. */
export type AnnotationChange = Readonly<Record<string, string | null>>;

const maxWarnings = 10;
const maxWarningCharacters = 4000;

/**
 * The change that makes the ConfigMap show the verdict; `undefined` when it already shows the verdict. After a start, `clusterWarnings` is
 * `undefined` until the configuration has been judged against the cluster. Until then, an active verdict leaves the annotation for these
 * warnings as it is. A stale verdict always removes the annotation.
 */
export function configMapChange(
  configMap: ConfigMap,
  verdict: Exclude<Verdict, { kind: 'none' }>,
  clusterWarnings: string | null | undefined,
): AnnotationChange | undefined {
  const inCluster = verdict.kind === 'active' ? clusterWarnings : null;
  return difference(configMap.annotations, {
    ...(verdict.accepted ? acceptedAnnotations(verdict.accepted) : {}),
    [annotations.configStatus]: verdict.kind,
    [annotations.configError]: verdict.kind === 'stale' ? verdict.reason : null,
    [annotations.configWarnings]: verdict.kind === 'active' ? warningText(verdict.accepted) : null,
    ...(inCluster === undefined ? {} : { [annotations.clusterWarnings]: inCluster }),
  });
}

/** The change to the copy. The copy carries the status and the error only while the ConfigMap does not exist. */
export function copyChange(
  copy: ConfigMap | undefined,
  configMap: ConfigMap | undefined,
  verdict: Exclude<Verdict, { kind: 'none' }>,
): { readonly annotations: AnnotationChange; readonly text: string } | undefined {
  if (!verdict.accepted) return undefined;
  const isOrphaned = configMap === undefined && verdict.kind === 'stale';
  const change = difference(copy?.annotations ?? {}, {
    ...acceptedAnnotations(verdict.accepted),
    [annotations.configStatus]: isOrphaned ? 'stale' : null,
    [annotations.configError]: isOrphaned ? verdict.reason : null,
  });
  const { text } = verdict.accepted;
  if (change === undefined && copy?.data[configMapKey] === text) return undefined;
  return { annotations: change ?? {}, text };
}

/** The warnings of an accepted configuration in one line; `null` when there are none. */
export function warningText({ warnings }: AcceptedConfig): string | null {
  if (warnings.length === 0) return null;
  const more = warnings.length > maxWarnings ? [`and ${warnings.length - maxWarnings} more`] : [];
  const text = [...warnings.slice(0, maxWarnings).map(formatConfigError), ...more].join('; ');
  return printable(text, maxWarningCharacters);
}

function acceptedAnnotations({ text, hash, generation, at }: AcceptedConfig): AnnotationChange {
  const encoded = encodeAcceptedConfig(text);
  return {
    // Encoding never fails here, because the gate accepts only texts that can be stored.
    ...(encoded.ok ? { [annotations.acceptedConfig]: encoded.value } : {}),
    [annotations.acceptedHash]: hash,
    [annotations.acceptedGeneration]: `${generation}`,
    ...(at === '' ? {} : { [annotations.acceptedAt]: at }),
  };
}

function difference(
  current: Readonly<Record<string, string>>,
  wanted: AnnotationChange,
): AnnotationChange | undefined {
  const changes = Object.entries(wanted).filter(([name, value]) => (current[name] ?? null) !== value);
  return changes.length === 0 ? undefined : Object.fromEntries(changes);
}
