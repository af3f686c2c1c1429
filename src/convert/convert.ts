/** Converts the configuration of another program to one ConfigMap that the gate accepts. */
import { dump } from 'js-yaml';
import { encodeAcceptedConfig } from '../cluster/accepted-config.ts';
import { configMapKey, configMapName, defaultNamespace } from '../cluster/names.ts';
import { type AssignedAddress, type Config, judge, poolIndexOf } from '../config/index.ts';
import { fail, ok, type Result } from '../result.ts';
import { cilium } from './cilium/index.ts';
import { kubeVip } from './kube-vip.ts';
import { metallb } from './metallb/index.ts';
import type { SourceObject } from './objects.ts';
import { openelb } from './openelb.ts';
import { purelb } from './purelb.ts';
import { Report, type Row, type SourceFault } from './report.ts';
import type { Source, SourceName } from './source.ts';

export const sources: readonly Source[] = [metallb, purelb, openelb, kubeVip, cilium];

/** A finished conversion. */
export interface Conversion {
  readonly source: Source;
  /** The text of the configuration, which the gate has accepted. */
  readonly text: string;
  readonly config: Config;
  /** The manifest of the ConfigMap. */
  readonly manifest: string;
  /** The outcome of each field of the source, object by object. */
  readonly rows: readonly Row[];
  /** Addresses in use that no converted pool holds. */
  readonly orphans: readonly AssignedAddress[];
}

export interface ConvertOptions {
  readonly from: SourceName | 'auto';
  /** Addresses in use. */
  readonly assigned?: readonly AssignedAddress[];
}

/**
 * Converts the objects of one source, and ignores objects of other programs. With `auto`, there must be objects of exactly one source. When the
 * source has faults, fails with all of them. When only the gate finds errors, fails with all of these. There is no partial result. Equal objects
 * give equal results. Never throws.
 */
export function convert(
  objects: readonly SourceObject[],
  { from, assigned = [] }: ConvertOptions,
): Result<Conversion, readonly SourceFault[]> {
  const chosen = chooseSource(objects, from);
  if (!chosen.ok) return fail([{ object: '', field: '', message: chosen.error }]);
  const source = chosen.value;
  const report = new Report();
  const result = source.convert(
    objects.filter((object) => source.reads(object)),
    report,
  );
  if (report.faults.length > 0) return fail(report.faults);
  const text = result.kind === 'text' ? result.text : result.draft.print();
  const stored = encodeAcceptedConfig(text);
  const judgement = judge(text, { storageFault: stored.ok ? undefined : stored.error });
  if (judgement.kind === 'rejected') {
    for (const error of judgement.errors) report.refuseFor(error);
    return fail(report.faults);
  }
  const { config, warnings } = judgement;
  if (result.kind === 'draft') for (const warning of warnings) if (!warning.isIdle) report.changeFor(warning);
  const index = poolIndexOf(config);
  return ok({
    source,
    text,
    config,
    manifest: manifestOf(text, source),
    rows: report.rows,
    orphans: assigned.filter(({ address }) => index.poolOf(address) === undefined),
  });
}

function chooseSource(objects: readonly SourceObject[], from: SourceName | 'auto'): Result<Source, string> {
  const present = sources.filter((source) => objects.some((object) => source.reads(object)));
  if (from !== 'auto') {
    const source = sources.find(({ name }) => name === from);
    if (source && present.includes(source)) return ok(source);
    const others = present.map(({ title }) => title).join(', ');
    return fail(
      `there is no object of ${source?.title ?? from}${others === '' ? '' : `, but there are objects of ${others}`}`,
    );
  }
  const [only, second] = present;
  if (!only) return fail(`there is no object of ${sources.map(({ title }) => title).join(', ')}`);
  if (!second) return ok(only);
  const names = present.map(({ name }) => name);
  return fail(
    `there are objects of ${present.map(({ title }) => title).join(' and ')}; choose one with --from ${names.join(' or --from ')}`,
  );
}

function manifestOf(text: string, { title }: Source): string {
  const manifest = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: configMapName, namespace: defaultNamespace },
    data: { [configMapKey]: text },
  };
  return `# Converted from ${title}.\n${dump(manifest, { noRefs: true, lineWidth: -1 })}`;
}
