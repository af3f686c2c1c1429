/**
 * What the ConfigMap's state means, as pure functions: which configuration was accepted last, whether the text that stands there now
 * is it, replaces it, or is refused, and what the annotations should say then.
 */
import { compareIp } from '../address/index.ts';
import {
  type AcceptedConfig,
  annotationRoom,
  configHash,
  encodeAcceptedConfig,
} from '../cluster/accepted-config.ts';
import { annotations, configMapKey, configMapName } from '../cluster/names.ts';
import { type AssignedAddress, judge, rejectionReason } from '../config/index.ts';
import type { ConfigMap } from '../kubernetes/model.ts';

export type Verdict =
  /** Nothing was ever accepted and there is nothing to judge. */
  | { readonly kind: 'none'; readonly reason: string }
  /** The text is the accepted one, already or from now on. */
  | { readonly kind: 'active'; readonly accepted: AcceptedConfig; readonly isNew: boolean }
  /** The text is not the accepted one; that one, if there is any, stays in force. */
  | {
      readonly kind: 'stale';
      readonly accepted: AcceptedConfig | undefined;
      /** Tells one bad state from another: the hash of the text, or why there is none. */
      readonly subject: string;
      /** Names the first ten things that are wrong. */
      readonly reason: string;
      /** Names all of them. */
      readonly details: string;
      /** True when Services in the way are all that is wrong: it passes once they are gone. */
      readonly orphans: boolean;
    };

/** How many errors or orphans annotation and event name. */
const named = 10;

/** Judges the ConfigMap as it is. `now` is RFC 3339. */
export function judgeConfigMap(
  configMap: ConfigMap | undefined,
  accepted: AcceptedConfig | undefined,
  assigned: () => Iterable<AssignedAddress>,
  now: string,
): Verdict {
  const text = configMap?.data[configMapKey];
  if (text === undefined) {
    const reason = configMap
      ? `ConfigMap ${configMapName} has no key "${configMapKey}"`
      : `there is no ConfigMap ${configMapName}`;
    if (!configMap && !accepted) return { kind: 'none', reason };
    return { kind: 'stale', accepted, subject: reason, reason, details: reason, orphans: false };
  }
  if (text === accepted?.text) return { kind: 'active', accepted, isNew: false };
  const stored = encodeAcceptedConfig(text, annotationRoom(configMap?.annotations ?? {}));
  const judgement = judge(text, {
    assigned: [...assigned()].sort(byService),
    storageFault: stored.ok ? undefined : stored.error,
  });
  const hash = configHash(text);
  if (judgement.kind === 'accepted')
    return { kind: 'active', accepted: { text, hash, at: now, config: judgement.config }, isNew: true };
  return {
    kind: 'stale',
    accepted,
    subject: hash,
    reason: rejectionReason(judgement, named),
    details: rejectionReason(judgement, Number.POSITIVE_INFINITY),
    orphans: judgement.orphans.length > 0,
  };
}

/** A text that would pass, but that the API server does not let us keep, as too large: what cannot be kept is not put in force. */
export function notKept(
  text: AcceptedConfig,
  accepted: AcceptedConfig | undefined,
  refusal: string,
): Extract<Verdict, { kind: 'stale' }> {
  const reason = `it cannot be kept as accepted: ${refusal}`;
  return { kind: 'stale', accepted, subject: text.hash, reason, details: reason, orphans: false };
}

/** The same addresses in use give the same reason, whatever order they were found in. */
function byService(a: AssignedAddress, b: AssignedAddress): number {
  if (a.service !== b.service) return a.service < b.service ? -1 : 1;
  return compareIp(a.address, b.address);
}

export type AnnotationChange = Readonly<Record<string, string | null>>;

/** What has to change on the ConfigMap so that it says the verdict; `undefined` when it does. */
export function configMapChange(
  configMap: ConfigMap,
  verdict: Exclude<Verdict, { kind: 'none' }>,
): AnnotationChange | undefined {
  return difference(configMap.annotations, {
    ...(verdict.accepted ? acceptedAnnotations(verdict.accepted) : {}),
    [annotations.configStatus]: verdict.kind,
    [annotations.configError]: verdict.kind === 'stale' ? verdict.reason : null,
  });
}

/**
 * What has to change on the copy. It carries state and reason only while the ConfigMap itself is not there to carry them.
 */
export function copyChange(
  copy: ConfigMap | undefined,
  configMap: ConfigMap | undefined,
  verdict: Exclude<Verdict, { kind: 'none' }>,
): { readonly annotations: AnnotationChange; readonly text: string } | undefined {
  if (!verdict.accepted) return undefined;
  const orphaned = configMap === undefined && verdict.kind === 'stale';
  const change = difference(copy?.annotations ?? {}, {
    ...acceptedAnnotations(verdict.accepted),
    [annotations.configStatus]: orphaned ? 'stale' : null,
    [annotations.configError]: orphaned ? verdict.reason : null,
  });
  const { text } = verdict.accepted;
  if (change === undefined && copy?.data[configMapKey] === text) return undefined;
  return { annotations: change ?? {}, text };
}

function acceptedAnnotations({ text, hash, at }: AcceptedConfig): AnnotationChange {
  const encoded = encodeAcceptedConfig(text);
  return {
    // The gate let only texts pass that can be kept.
    ...(encoded.ok ? { [annotations.acceptedConfig]: encoded.value } : {}),
    [annotations.acceptedHash]: hash,
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
