/** Collects the warnings about the accepted configuration in this cluster. Pure. */
import { annotations } from '../../cluster/names.ts';
import type { ConfigMap } from '../../kubernetes/model.ts';
import { formatLintWarning, type LintWarning } from '../../lint/cluster.ts';
import { printable } from '../../printable.ts';

const maxLineCharacters = 1024;

/**
 * Warnings in sentences. `judged` holds the warnings that this command has found. The command may have fewer rights than the controller, for
 * instance in a Pod of a speaker. The caller then gives `configMap`, whose annotation holds the controller's warnings. The result also has each
 * warning of the annotation about a place of the configuration for which `judged` has none. The last line of the annotation may count the warnings
 * that it has no room for. A warning of `judged` that the annotation does not list is taken to be in this count, and is subtracted from it. The
 * controller does not look at links and ClusterIPs. When a warning of `judged` is about these, the count in the result may therefore be too small.
 */
export function clusterWarnings(judged: readonly LintWarning[], configMap: ConfigMap | undefined): string[] {
  const lines = configMap?.annotations[annotations.clusterWarnings]?.split('\n') ?? [];
  const hidden = Number(/^and (\d+) more$/.exec(lines.at(-1) ?? '')?.[1] ?? 0);
  const listed = hidden > 0 ? lines.slice(0, -1) : lines;
  const isAbout = (line: string, { path }: LintWarning) => line.startsWith(`${path}: `);
  const unlisted = judged.filter((warning) => !listed.some((line) => isAbout(line, warning)));
  const rest = hidden - unlisted.length;
  return [
    ...judged.map(formatLintWarning),
    ...listed
      .filter((line) => !judged.some((warning) => isAbout(line, warning)))
      .map((line) => printable(line, maxLineCharacters))
      .filter(Boolean),
    ...(rest > 0 ? [`and ${rest} more`] : []),
  ];
}
