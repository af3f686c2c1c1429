/** The parts of a source: the kinds that it reads, their paths on the API server, and its converter. */
import type { Draft } from './draft.ts';
import type { SourceObject } from './objects.ts';
import type { Report } from './report.ts';

export const sourceNames = ['metallb', 'purelb', 'openelb', 'kube-vip', 'cilium'] as const;
export type SourceName = (typeof sourceNames)[number];

/** A list of objects in the API server. */
export interface ListPath {
  readonly kind: string;
  /** Group and version, for example `metallb.io/v1beta1`. */
  readonly apiVersion: string;
  readonly path: string;
}

/** The result of a converter. */
export type SourceResult =
  | { readonly kind: 'draft'; readonly draft: Draft }
  /** The text of the configuration, when the source is already in the format of Bellman. */
  | { readonly kind: 'text'; readonly text: string };

export interface Source {
  readonly name: SourceName;
  /** The name of the program, for messages. */
  readonly title: string;
  /** Whether the object belongs to the configuration of this program. */
  reads(object: SourceObject): boolean;
  /**
   * The paths of the objects in the API server. Each entry has the paths of one kind, one for each version, newest first. Only the first path that
   * the server has is read, because the server shows the same objects under each version.
   */
  readonly lists: readonly (readonly ListPath[])[];
  /** Converts all objects of the source together. Writes rows and faults to the report. */
  convert(objects: readonly SourceObject[], report: Report): SourceResult;
}

/** The paths of a custom resource, one for each version. `versions` begins with the newest. */
export function customResource(
  group: string,
  versions: readonly string[],
  kind: string,
  plural: string,
): ListPath[] {
  return versions.map((version) => ({
    kind,
    apiVersion: `${group}/${version}`,
    path: `/apis/${group}/${version}/${plural}`,
  }));
}

/** One ConfigMap, as a list of at most one item. */
export function configMap(namespace: string, name: string): ListPath[] {
  return [
    {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      path: `/api/v1/namespaces/${namespace}/configmaps?fieldSelector=metadata.name%3D${name}`,
    },
  ];
}

/** The group of an object's apiVersion; empty for the core group. */
export function groupOf({ apiVersion }: SourceObject): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}
