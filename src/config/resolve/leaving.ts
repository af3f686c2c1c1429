/** The keys about nodes that stop or begin to announce: `leave-on-taints`, `drain-delay`, `drain` and `announce-delay`. */
import { type DrainConfig, emptyConfig, type TaintMatch, type Toleration } from '../config.ts';
import type { Path } from '../errors.ts';
import type { Findings, RawConfig, RawTaintMatch, RawToleration, Sound } from '../schema/index.ts';
import { type Community, resolveCommunity } from './communities.ts';
import { labelKeyFault, labelValueFault } from './selectors.ts';
import { isUnsound, readSeconds } from './values.ts';

const maxDelaySeconds = 3600;
const maxAnnounceDelaySeconds = 300;

export function resolveTaintMatches(
  raw: readonly (Sound<RawTaintMatch> | undefined)[],
  findings: Findings,
): TaintMatch[] {
  return raw.flatMap((match, i) =>
    match ? [resolveTaintMatch(match, ['leave-on-taints', i], findings)] : [],
  );
}

function resolveTaintMatch(raw: Sound<RawTaintMatch>, path: Path, findings: Findings): TaintMatch {
  const { key, value, effect } = raw;
  const tolerations = raw.tolerations ?? [];
  const hasKey = key !== undefined || isUnsound(raw, 'key');
  checkLabel(raw, path, findings);
  if (!hasKey && effect === undefined && !isUnsound(raw, 'effect'))
    findings.error(path, () => 'a match needs a key or an effect; without both it would match every taint');
  if (!hasKey && value !== undefined) findings.error([...path, 'value'], () => 'value needs a key', 'key');
  // Kubernetes itself sets taints with NoSchedule and with NoExecute, for instance on control-plane nodes and on nodes that run out of memory.
  if (!hasKey && tolerations.length === 0)
    findings.warning(
      path,
      () =>
        'without a key and tolerations, the taints that Kubernetes itself sets match too, such as node-role.kubernetes.io/control-plane',
    );
  return {
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : { value }),
    ...(effect === undefined ? {} : { effect }),
    tolerations: tolerations.flatMap((each, i) =>
      each ? [resolveToleration(each, [...path, 'tolerations', i], findings)] : [],
    ),
  };
}

/** Applies the rules by which Kubernetes validates the tolerations of a Pod. */
function resolveToleration(raw: Sound<RawToleration>, path: Path, findings: Findings): Toleration {
  const { key, operator = 'Equal', value = '', effect } = raw;
  checkLabel(raw, path, findings);
  if (key === undefined && operator === 'Equal' && !isUnsound(raw, 'key') && !isUnsound(raw, 'operator'))
    findings.error(path, () => 'a toleration without a key needs operator: Exists');
  if (operator === 'Exists' && value !== '')
    findings.error([...path, 'value'], () => 'operator Exists takes no value');
  return {
    ...(key === undefined ? {} : { key }),
    operator,
    value,
    ...(effect === undefined ? {} : { effect }),
  };
}

/** Keys and values of taints have the syntax of labels. */
function checkLabel(
  { key, value }: { readonly key?: string | undefined; readonly value?: string | undefined },
  path: Path,
  findings: Findings,
): void {
  const keyWrong = key === undefined ? undefined : labelKeyFault(key);
  if (keyWrong !== undefined) findings.error([...path, 'key'], () => keyWrong);
  const valueWrong = value === undefined ? undefined : labelValueFault(value);
  if (valueWrong !== undefined) findings.error([...path, 'value'], () => valueWrong);
}

export function resolveDrain(
  raw: Sound<RawConfig>,
  communities: ReadonlyMap<string, Community>,
  findings: Findings,
): DrainConfig {
  const { community: text, med, 'as-path-prepend': asPathPrepend = 0 } = raw.drain ?? {};
  const delaySeconds = readDelay('drain-delay', maxDelaySeconds, raw, findings);
  const community =
    text === undefined ? undefined : resolveCommunity(text, ['drain', 'community'], communities, findings);
  return {
    delaySeconds: delaySeconds ?? emptyConfig.drain.delaySeconds,
    communities: communitiesOf(community),
    largeCommunities: community?.kind === 'large' ? [community.value] : [],
    ...(med === undefined ? {} : { med }),
    asPathPrepend,
  };
}

export function resolveAnnounceDelay(raw: Sound<RawConfig>, findings: Findings): number {
  const delaySeconds = readDelay('announce-delay', maxAnnounceDelaySeconds, raw, findings);
  return delaySeconds ?? emptyConfig.announceDelaySeconds;
}

function readDelay(
  key: 'drain-delay' | 'announce-delay',
  maxSeconds: number,
  raw: Sound<RawConfig>,
  findings: Findings,
): number | undefined {
  const seconds = readSeconds(raw[key], [key], findings);
  if (seconds !== undefined && seconds > maxSeconds)
    findings.error([key], () => `${seconds}s is not allowed: 0s to ${maxSeconds}s`);
  return seconds;
}

function communitiesOf(community: Community | undefined): readonly number[] {
  if (!community) return emptyConfig.drain.communities;
  return community.kind === 'standard' ? [community.value] : [];
}
