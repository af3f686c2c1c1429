/** Collects the warnings about the accepted configuration in this cluster. Pure. */
import { annotations } from '../../cluster/names.ts';
import type { ConfigMap } from '../../kubernetes/model.ts';
import { formatLintWarning, type LintWarning } from '../../lint/cluster.ts';
import { printable } from '../../printable.ts';

const maxLineCharacters = 1024;

/**
 * Warnings in sentences. `judged` holds the warnings that this command has found. The command may have fewer rights than the controller, for
 * instance in a Pod of a speaker. The caller then gives `configMap`, whose annotation holds the controller's warnings. Those about places of the
 * configuration for which `judged` has no warning are added.
 */
export function clusterWarnings(judged: readonly LintWarning[], configMap: ConfigMap | undefined): string[] {
  const lines = configMap?.annotations[annotations.clusterWarnings]?.split('\n') ?? [];
  return [
    ...judged.map(formatLintWarning),
    ...lines
      .filter((line) => !judged.some(({ path }) => line.startsWith(`${path}: `)))
      .map((line) => printable(line, maxLineCharacters))
      .filter(Boolean),
  ];
}
