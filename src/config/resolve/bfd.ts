import type { Family } from '../../address/index.ts';
import type { BfdProfile, PeerBfd } from '../config.ts';
import { type Path, show, showSome } from '../errors.ts';
import type { Findings, RawBfdProfile, RawPeer, Sound } from '../schema/index.ts';
import { spellingHint } from '../spelling.ts';
import { isUnsound, readSeconds } from './values.ts';

/** MetalLB's defaults, which are those of FRR. MetalLB and FRR do not authenticate BFD, so the default of the key id is our own. */
const defaults = {
  intervalMs: 300,
  detectMultiplier: 3,
  echoIntervalMs: 50,
  minimumTtl: 254,
  keyId: 1,
} as const;

export interface BfdProfiles {
  readonly configs: readonly BfdProfile[];
  /** Every name that peers may use, including the names of profiles with errors. */
  readonly names: ReadonlySet<string>;
}

export function resolveBfdProfiles(
  raw: readonly (Sound<RawBfdProfile> | undefined)[],
  findings: Findings,
): BfdProfiles {
  const names = new Set<string>();
  const configs = raw.flatMap((profile, i) => {
    if (profile?.name === undefined) return [];
    const { name } = profile;
    if (names.has(name))
      findings.error(['bfd-profiles', i, 'name'], () => `there is another profile ${show(name)}`);
    names.add(name);
    return [resolveProfile(name, profile)];
  });
  return { configs, names };
}

function resolveProfile(name: string, raw: Sound<RawBfdProfile>): BfdProfile {
  const { type, 'key-secret': keySecret, 'key-id': keyId = defaults.keyId } = raw.authentication ?? {};
  return {
    name,
    receiveIntervalMs: raw['receive-interval'] ?? defaults.intervalMs,
    transmitIntervalMs: raw['transmit-interval'] ?? defaults.intervalMs,
    detectMultiplier: raw['detect-multiplier'] ?? defaults.detectMultiplier,
    echoIntervalMs: raw['echo-interval'] ?? defaults.echoIntervalMs,
    echoMode: raw['echo-mode'] ?? false,
    passiveMode: raw['passive-mode'] ?? false,
    minimumTtl: raw['minimum-ttl'] ?? defaults.minimumTtl,
    ...(type === undefined || keySecret === undefined ? {} : { authentication: { type, keySecret, keyId } }),
  };
}

/** The settings of a peer that have to fit together with its BFD. */
interface PeerTraits {
  readonly holdTimeSeconds: number;
  /** Largest number of hops to the peer. */
  readonly multihop: number | undefined;
  readonly gracefulRestart: boolean;
  /** Family of the peer's address; `undefined` while the address is wrong. */
  readonly family: Family | undefined;
}

/** The BFD of a peer; `undefined` without a profile. An empty `bfd-profile` counts as absent, as in MetalLB. */
export function resolvePeerBfd(
  raw: Sound<RawPeer>,
  traits: PeerTraits,
  path: Path,
  profiles: BfdProfiles,
  findings: Findings,
): PeerBfd | undefined {
  const at = (key: string): Path => [...path, key];
  const name = raw['bfd-profile'] || undefined;
  const strict = raw['bfd-strict'] ?? 'off';
  const holdDownSeconds = resolveHoldDown(raw, traits.holdTimeSeconds, at('bfd-hold-down'), findings);
  if (name === undefined) {
    for (const key of ['bfd-strict', 'bfd-hold-down'] as const)
      if (raw[key] && !isUnsound(raw, 'bfd-profile'))
        findings.error(at(key), () => `${key} needs a bfd-profile`, 'key');
    return undefined;
  }
  if (!profiles.names.has(name))
    findings.error(at('bfd-profile'), () => unknownProfile(name, profiles.names));
  const profile = profiles.configs.find((one) => one.name === name);
  if (profile) warnAbout(profile, traits, path, findings);
  return { profile: name, strict, holdDownSeconds };
}

function resolveHoldDown(
  raw: Sound<RawPeer>,
  holdTimeSeconds: number,
  path: Path,
  findings: Findings,
): number {
  const seconds = readSeconds(raw['bfd-hold-down'], path, findings) ?? 0;
  if (seconds === 0) return 0;
  const isOff = (raw['bfd-strict'] ?? 'off') === 'off' && !isUnsound(raw, 'bfd-strict');
  if (isOff && raw['bfd-profile'])
    findings.error(path, () => 'bfd-hold-down needs bfd-strict: negotiate or local', 'key');
  // With `negotiate`, we send the peer no KEEPALIVE while the hold-down runs, so the hold time must be longer. With `local`, the hold-down runs
  // before TCP connects. No hold timer runs then, but the hold time must still be longer.
  if (holdTimeSeconds > 0 && seconds >= holdTimeSeconds)
    findings.error(path, () => `${seconds}s is not shorter than the hold time of ${holdTimeSeconds}s`);
  else if (seconds > 65535) findings.error(path, () => `${seconds}s is not allowed: 0s to 65535s`);
  return seconds;
}

function unknownProfile(name: string, known: ReadonlySet<string>): string {
  const meant = spellingHint(name, [...known]);
  const remedy =
    meant === undefined ? `bfd-profiles has: ${showSome([...known])}` : `did you mean ${show(meant)}?`;
  return `there is no BFD profile ${show(name)}; ${remedy}`;
}

/** Warns about settings that are valid but most likely do not do what the author expects. */
function warnAbout(
  profile: BfdProfile,
  { holdTimeSeconds, multihop = 1, gracefulRestart, family }: PeerTraits,
  path: Path,
  findings: Findings,
): void {
  const { name, detectMultiplier, transmitIntervalMs, receiveIntervalMs } = profile;
  // RFC 5880 section 6.8.4, for a peer with the same settings.
  const detectionMs = detectMultiplier * Math.max(transmitIntervalMs, receiveIntervalMs);
  if (holdTimeSeconds > 0 && holdTimeSeconds * 1000 <= detectionMs)
    findings.warning(
      [...path, 'bfd-profile'],
      () =>
        `BFD with profile ${show(name)} needs ${detectionMs / 1000}s to detect a loss, but the hold time of ${holdTimeSeconds}s ends the session first; use shorter intervals`,
    );
  if (gracefulRestart)
    findings.warning(
      [...path, 'graceful-restart'],
      () =>
        'a restart of the speaker also ends its BFD session; routers that take this for a loss of the path (FRR and BIRD by default) then drop the routes at the detection time and ignore restart-time',
    );
  if (profile.echoMode && family === 6)
    findings.idle(
      [...path, 'bfd-profile'],
      () => `echo-mode of profile ${show(name)} has no effect here: echo packets are sent over IPv4 only`,
    );
  if (profile.echoMode && multihop > 1)
    findings.idle(
      [...path, 'bfd-profile'],
      () =>
        `echo-mode of profile ${show(name)} has no effect here: echo packets cannot cross routers (RFC 5883)`,
    );
}
