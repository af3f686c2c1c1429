/**
 * Two patches of the DaemonSet of MetalLB's speakers. The first makes the Pods of the DaemonSet avoid the nodes with the label
 * `bellman.dev/takeover`. The second undoes the first. Both keep all other affinities of the DaemonSet. Pure.
 */
import { takeoverKey } from '../../cluster/names.ts';

/** The parts of a DaemonSet that the patches change, as the API server has them. */
export interface DaemonSetFacts {
  readonly name: string;
  readonly updateStrategy?: Readonly<Record<string, unknown>> | undefined;
  /** The affinity of its Pods. */
  readonly affinity?: Affinity | undefined;
}

interface Affinity {
  readonly nodeAffinity?: { readonly requiredDuringSchedulingIgnoredDuringExecution?: NodeSelector };
}

interface NodeSelector {
  readonly nodeSelectorTerms?: readonly NodeSelectorTerm[];
}

/** The expressions of a term must all match. Of several terms, one match is enough. */
interface NodeSelectorTerm {
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string }[];
}

const expression = { key: takeoverKey, operator: 'DoesNotExist' };

export function avoidsNodes({ affinity }: DaemonSetFacts): boolean {
  const terms = requiredOf(affinity)?.nodeSelectorTerms ?? [];
  return (
    terms.length > 0 &&
    terms.every(({ matchExpressions = [] }) => matchExpressions.some(({ key }) => key === takeoverKey))
  );
}

/** With the strategy OnDelete, the patch restarts no Pod. The DaemonSet controller still ends the Pod of a node that the affinity excludes. */
export function avoidingPatch({ affinity }: DaemonSetFacts): object {
  const { nodeSelectorTerms: terms = [] } = requiredOf(affinity) ?? {};
  const required = {
    nodeSelectorTerms: (terms.length === 0 ? [{}] : terms).map((term: NodeSelectorTerm) => ({
      ...term,
      matchExpressions: [...(term.matchExpressions ?? []), expression],
    })),
  };
  return patchOf(
    { type: 'OnDelete', rollingUpdate: null },
    { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } },
  );
}

/**
 * Makes the patch that undoes {@link avoidingPatch}, from the facts before that patch. The template of the Pods must become exactly what it was,
 * because otherwise every Pod restarts. An empty affinity is therefore not the same as an absent one.
 */
export function restoringPatch({ affinity, updateStrategy }: DaemonSetFacts): object {
  const { nodeAffinity } = affinity ?? {};
  const required = requiredOf(affinity);
  return patchOf(
    updateStrategy ?? { type: 'RollingUpdate' },
    affinity === undefined
      ? null
      : {
          nodeAffinity:
            nodeAffinity === undefined
              ? null
              : { requiredDuringSchedulingIgnoredDuringExecution: required ?? null },
        },
  );
}

function requiredOf(affinity: Affinity | undefined): NodeSelector | undefined {
  return affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
}

function patchOf(updateStrategy: object, affinity: object | null): object {
  return { spec: { updateStrategy, template: { spec: { affinity } } } };
}
