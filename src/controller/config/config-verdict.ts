/**
 * Pure functions that judge the ConfigMap: its text is already accepted, becomes accepted, or is rejected.
 */
import { compareIp } from '../../address/index.ts';
import {
  type AcceptedConfig,
  annotationRoom,
  configHash,
  encodeAcceptedConfig,
} from '../../cluster/accepted-config.ts';
import { describeMissingKey } from '../../cluster/missing-key.ts';
import { configMapKey, configMapName } from '../../cluster/names.ts';
import {
  type AssignedAddress,
  type Config,
  type Judgement,
  judge,
  orphanSteps,
  rejectionReason,
} from '../../config/index.ts';
import type { ConfigMap } from '../../kubernetes/model.ts';
import { printable } from '../../printable.ts';
import { sortedInSteps } from '../../sorted-in-steps.ts';

export type Verdict =
  /** There is no ConfigMap, and nothing was ever accepted. */
  | { readonly kind: 'none'; readonly reason: string }
  /** The text is the accepted text. `isNew` is true when it has just been accepted. */
  | { readonly kind: 'active'; readonly accepted: AcceptedConfig; readonly isNew: boolean }
  | StaleVerdict;

/** The text of the ConfigMap is not accepted. If another text was accepted before, that text stays in force. */
export interface StaleVerdict {
  readonly kind: 'stale';
  readonly accepted: AcceptedConfig | undefined;
  /** Identifies the rejected state: the hash of the text, or the reason why there is no text. */
  readonly subject: string;
  /** For annotations and events: names the first ten errors or orphans. */
  readonly reason: string;
  /** For the log: names the first hundred errors or orphans. */
  readonly details: string;
  /**
   * True when the text is rejected only because Services hold addresses outside its pools. The text passes as soon as the Services give
   * these addresses up.
   */
  readonly hasOrphans: boolean;
}

/** Largest number of errors or orphans that the annotation and the event name. */
const maxNamed = 10;
const maxLogged = 100;
/** The annotations of a ConfigMap share 256 KiB, and an error may quote long names. A longer reason is therefore cut. */
const maxReasonCharacters = 4000;
const maxDetailsCharacters = 16_000;

/** Judges the ConfigMap as it is, without regard to the addresses in use. `now` is RFC 3339. */
export function judgeConfigMap(
  configMap: ConfigMap | undefined,
  accepted: AcceptedConfig | undefined,
  now: string,
): Verdict {
  const text = configMap?.data[configMapKey];
  if (text === undefined) {
    const reason = configMap
      ? `ConfigMap ${configMapName} ${describeMissingKey(configMapKey, configMap.data)}`
      : `there is no ConfigMap ${configMapName}`;
    if (!configMap && !accepted) return { kind: 'none', reason };
    return { kind: 'stale', accepted, subject: reason, reason, details: reason, hasOrphans: false };
  }
  if (text === accepted?.text) return { kind: 'active', accepted, isNew: false };
  const stored = encodeAcceptedConfig(text, annotationRoom(configMap?.annotations ?? {}));
  const judgement = judge(text, { storageFault: stored.ok ? undefined : stored.error });
  const hash = configHash(text);
  if (judgement.kind === 'accepted') {
    const { config, warnings } = judgement;
    const generation = (accepted?.generation ?? 0) + 1;
    return { kind: 'active', accepted: { text, hash, generation, at: now, config, warnings }, isNew: true };
  }
  return rejection(hash, accepted, judgement);
}

/** Finds the orphans of a configuration in steps, in the order in which the reason names them. The assigned addresses must not change meanwhile. */
export function* sortedOrphanSteps(
  config: Config,
  assigned: Iterable<AssignedAddress>,
): Generator<undefined, readonly AssignedAddress[]> {
  return yield* sortedInSteps(yield* orphanSteps(config, assigned), byService);
}

/** The verdict on a text that has no error but that would orphan addresses. */
export function orphaning(
  text: AcceptedConfig,
  accepted: AcceptedConfig | undefined,
  orphans: readonly AssignedAddress[],
): StaleVerdict {
  return rejection(text.hash, accepted, { kind: 'rejected', errors: [], orphans });
}

function rejection(
  hash: string,
  accepted: AcceptedConfig | undefined,
  judgement: Extract<Judgement, { kind: 'rejected' }>,
): StaleVerdict {
  return {
    kind: 'stale',
    accepted,
    subject: hash,
    reason: printable(rejectionReason(judgement, maxNamed), maxReasonCharacters),
    details: printable(rejectionReason(judgement, maxLogged), maxDetailsCharacters),
    hasOrphans: judgement.orphans.length > 0,
  };
}

/** The verdict on a text that passes the gate but that the API server refuses to store. Such a text is not put in force. */
export function notStored(
  text: AcceptedConfig,
  accepted: AcceptedConfig | undefined,
  refusal: string,
): StaleVerdict {
  const reason = `the API server refuses to store the accepted text: ${refusal}`;
  return { kind: 'stale', accepted, subject: text.hash, reason, details: reason, hasOrphans: false };
}

/** A stable order, so that the same addresses in use give the same reason. */
function byService(a: AssignedAddress, b: AssignedAddress): number {
  if (a.service !== b.service) return a.service < b.service ? -1 : 1;
  return compareIp(a.address, b.address);
}
