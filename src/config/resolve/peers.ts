import { createHash } from 'node:crypto';
import { type Family, formatIp, type IpAddress, isLinkLocal } from '../../address/index.ts';
import { maxPasswordOctets } from '../../linux/limits.ts';
import type { GracefulRestartConfig, PeerConfig } from '../config.ts';
import { type Path, show } from '../errors.ts';
import type { Findings, RawPeer, Sound } from '../schema/index.ts';
import { type BfdProfiles, resolvePeerBfd } from './bfd.ts';
import { noEffect, warnOfColon } from './effects.ts';
import { resolveSelectors } from './selectors.ts';
import { interfaceNameFault, isUnsound, readAddress, readPeerAddress, readSeconds } from './values.ts';

const defaults = { port: 179, holdTimeSeconds: 90, connectTimeSeconds: 5, secretKey: 'password' } as const;
/** Meaning of `ebgp-multihop: true`: the largest possible TTL. */
const unlimitedHops = 255;

/** Returns the peers, and every name that advertisements may use. Among these names are the written names of peers with errors. */
export function resolvePeers(
  raw: readonly (Sound<RawPeer> | undefined)[],
  bfdProfiles: BfdProfiles,
  findings: Findings,
): { configs: PeerConfig[]; names: ReadonlySet<string> } {
  const drafts = raw.map((peer, i) =>
    peer ? draftPeer(peer, ['peers', i], bfdProfiles, findings) : undefined,
  );
  const names = new Set<string>();
  raw.forEach((peer, i) => {
    if (peer?.name === undefined) return;
    const { name } = peer;
    if (names.has(name)) findings.error(['peers', i, 'name'], () => `there is another peer ${show(name)}`);
    names.add(name);
  });
  const sessions = new Map<string, number>();
  const configs: PeerConfig[] = [];
  drafts.forEach((draft, i) => {
    if (!draft) return;
    const session = sessionKey(draft);
    const twin = sessions.get(session);
    if (twin !== undefined)
      findings.error(
        ['peers', i, 'peer-address'],
        () => `the same session as peers[${twin}]: same address, port and nodes`,
      );
    else sessions.set(session, i);
    const name = draft.name ?? defaultName(draft, names);
    names.add(name);
    configs.push({ ...draft, name });
  });
  return { configs, names };
}

type DraftPeer = Omit<PeerConfig, 'name'> & { readonly name?: string };

/** Identifies a session. Two peers with the same key would be the same session. */
function sessionKey({ address, interface: zone, port, sourceAddress, nodeSelectors }: DraftPeer): string {
  const source = sourceAddress && formatIp(sourceAddress);
  return JSON.stringify([formatIp(address), zone, port, source, nodeSelectors]);
}

/**
 * The default name of a peer is its address, followed by the port when the port is not 179. If that name is already taken, a suffix from the
 * hash of the session key is added to the name.
 */
function defaultName(draft: DraftPeer, taken: ReadonlySet<string>): string {
  const { address, interface: zone, port } = draft;
  const host = formatIp(address) + (isLinkLocal(address) && zone !== undefined ? `%${zone}` : '');
  const bracketed = address.family === 6 ? `[${host}]` : host;
  const name = port === defaults.port ? host : `${bracketed}:${port}`;
  if (!taken.has(name)) return name;
  return `${name}#${createHash('sha256').update(sessionKey(draft)).digest('hex').slice(0, 8)}`;
}

function draftPeer(
  raw: Sound<RawPeer>,
  path: Path,
  bfdProfiles: BfdProfiles,
  findings: Findings,
): DraftPeer | undefined {
  const at = (key: string): Path => [...path, key];
  const times = resolveTimes(raw, path, findings);
  const endpoint = resolveEndpoint(raw, path, findings);
  const routerId = resolveRouterId(raw['router-id'] || undefined, at('router-id'), findings);
  const restart = resolveRestart(raw, times.holdTimeSeconds, at('graceful-restart'), findings);
  const multihop = resolveMultihop(raw, path, findings);
  const families = resolveFamilies(raw.families, at('families'), findings);
  const nodeSelectors = resolveSelectors(raw['node-selectors'], at('node-selectors'), findings);
  const password = raw.password || undefined;
  if (password !== undefined && Buffer.byteLength(password) > maxPasswordOctets)
    findings.error(at('password'), () => `TCP MD5 takes at most ${maxPasswordOctets} octets of password`);
  const secret = raw['password-secret'];
  if (password !== undefined && secret)
    findings.error(at('password-secret'), () => 'password and password-secret cannot be combined');
  const bfd = resolvePeerBfd(
    raw,
    {
      holdTimeSeconds: times.holdTimeSeconds,
      multihop,
      gracefulRestart: restart !== undefined,
      family: endpoint?.address.family,
    },
    path,
    bfdProfiles,
    findings,
  );
  if (!endpoint) return undefined;
  return {
    ...(raw.name === undefined ? {} : { name: raw.name }),
    // Without a sound AS number, the configuration has an error and is not used. The peer still has a name, which advertisements may use.
    myAsn: raw['my-asn'] ?? 0,
    ...(raw['local-asn'] === undefined ? {} : { localAsn: raw['local-asn'] }),
    peerAsn: raw['peer-asn'] ?? 0,
    ...endpoint,
    ...times,
    ...(routerId === undefined ? {} : { routerId }),
    ...(password === undefined ? {} : { password }),
    ...(secret?.name === undefined
      ? {}
      : { passwordSecret: { name: secret.name, key: secret.key ?? defaults.secretKey } }),
    ...(multihop === undefined ? {} : { ebgpMultihop: multihop }),
    ttlSecurity: raw['ttl-security'] ?? false,
    passive: raw.passive ?? false,
    ...(restart === undefined ? {} : { gracefulRestart: restart }),
    ...(families === undefined ? {} : { families }),
    ...(bfd === undefined ? {} : { bfd }),
    nodeSelectors,
  };
}

type Times = Pick<PeerConfig, 'holdTimeSeconds' | 'keepaliveTimeSeconds' | 'connectTimeSeconds'>;

function resolveTimes(raw: Sound<RawPeer>, path: Path, findings: Findings): Times {
  const seconds = (key: 'hold-time' | 'keepalive-time' | 'connect-time'): number | undefined =>
    readSeconds(raw[key], [...path, key], findings);
  const written = seconds('hold-time');
  if (written !== undefined && (written === 1 || written === 2 || written > 65535))
    findings.error([...path, 'hold-time'], () => `${written}s is not allowed: 0, or 3s to 65535s (RFC 4271)`);
  const isWrong = written === undefined && (raw['hold-time'] || isUnsound(raw, 'hold-time'));
  // A hold time that cannot be read must not make other times wrong.
  const holdTimeSeconds = written ?? (isWrong ? Number.POSITIVE_INFINITY : defaults.holdTimeSeconds);
  const keepaliveTimeSeconds = seconds('keepalive-time') ?? Math.floor(holdTimeSeconds / 3);
  if (keepaliveTimeSeconds > holdTimeSeconds)
    findings.error(
      [...path, 'keepalive-time'],
      () => `${keepaliveTimeSeconds}s is longer than the hold time of ${holdTimeSeconds}s`,
    );
  else warnOfKeepalives(keepaliveTimeSeconds, holdTimeSeconds, [...path, 'keepalive-time'], findings);
  const connectTimeSeconds = seconds('connect-time') ?? defaults.connectTimeSeconds;
  if (connectTimeSeconds < 1 || connectTimeSeconds > 65535)
    findings.error([...path, 'connect-time'], () => `${connectTimeSeconds}s is not allowed: 1s to 65535s`);
  return { holdTimeSeconds, keepaliveTimeSeconds, connectTimeSeconds };
}

/** Warns about a keepalive time that the session does not use as it is written (`keepaliveSeconds` in `src/bgp/negotiation.ts`). */
function warnOfKeepalives(seconds: number, holdTimeSeconds: number, path: Path, findings: Findings): void {
  if (seconds > holdTimeSeconds / 3)
    findings.warning(
      path,
      () =>
        `${seconds}s is more than a third of the hold time of ${holdTimeSeconds}s; the speaker sends a keepalive every third of the hold time`,
    );
  if (seconds === 0 && holdTimeSeconds > 0)
    findings.warning(
      path,
      () =>
        '0s turns keepalives off only together with hold-time: 0s; with this hold time, the speaker sends a keepalive every second',
    );
}

type Endpoint = Pick<PeerConfig, 'address' | 'interface' | 'sourceAddress' | 'port'>;

function resolveEndpoint(raw: Sound<RawPeer>, path: Path, findings: Findings): Endpoint | undefined {
  const at = (key: string): Path => [...path, key];
  const peer = raw['peer-address'] === undefined ? undefined : readPeerAddress(raw['peer-address']);
  if (peer?.ok === false) findings.error(at('peer-address'), () => peer.error);
  const to = peer?.ok ? peer.value : undefined;
  const from = raw['source-address'] ? readAddress(raw['source-address']) : undefined;
  if (from?.ok === false) findings.error(at('source-address'), () => from.error);
  const source = from?.ok ? from.value : undefined;
  if (source && to && source.family !== to.address.family)
    findings.error(
      at('source-address'),
      () => `${formatIp(source)} and peer-address are of different families`,
    );
  const { interface: bound } = raw;
  const wrong = bound === undefined ? undefined : interfaceNameFault(bound);
  if (wrong !== undefined) findings.error(at('interface'), () => wrong);
  else warnOfColon(bound, at('interface'), findings);
  if (to?.zone !== bound) warnOfColon(to?.zone, at('peer-address'), findings);
  if (!to) return undefined;
  if (to.zone !== undefined && bound !== undefined && to.zone !== bound)
    findings.error(at('interface'), () => `peer-address names the interface ${to.zone}, not ${show(bound)}`);
  const zone = to.zone ?? bound;
  if (zone === undefined && isLinkLocal(to.address))
    findings.error(
      at('peer-address'),
      () =>
        `a link-local address needs its interface; write ${formatIp(to.address)}%eth0, or interface: eth0`,
    );
  const port = raw['peer-port'] || defaults.port;
  if (raw.passive && port !== defaults.port)
    findings.idle(
      at('peer-port'),
      () => `${noEffect}the peer opens the connection, to port ${defaults.port} of the node`,
    );
  return {
    address: to.address,
    ...(zone === undefined ? {} : { interface: zone }),
    ...(source ? { sourceAddress: source } : {}),
    port,
  };
}

function resolveRouterId(text: string | undefined, path: Path, findings: Findings): number | undefined {
  if (text === undefined) return undefined;
  const read = readAddress(text);
  const id: IpAddress | undefined = read.ok ? read.value : undefined;
  if (id?.family === 4 && id.value !== 0n) return Number(id.value);
  findings.error(path, () => `${show(text)} is not a router ID like 10.0.0.1; 0.0.0.0 is not allowed`);
  return undefined;
}

/**
 * The largest number of hops to an eBGP peer; `undefined` when the key is absent. Without the key, packets have the system's TTL, as in
 * MetalLB. A configuration from MetalLB therefore keeps its sessions to peers that are several hops away.
 */
function resolveMultihop(raw: Sound<RawPeer>, path: Path, findings: Findings): number | undefined {
  const written = raw['ebgp-multihop'];
  const hops = written === true ? unlimitedHops : written === false ? 1 : written;
  const isInternal =
    raw['peer-asn'] === 'internal' ||
    (raw['peer-asn'] !== undefined && raw['peer-asn'] === (raw['local-asn'] ?? raw['my-asn']));
  if (isInternal && written !== undefined && written !== false)
    findings.error([...path, 'ebgp-multihop'], () => 'the peer has our AS number; multihop is for eBGP only');
  if (hops !== undefined && hops > 1 && raw['ttl-security'])
    findings.error(
      [...path, 'ttl-security'],
      () => 'ttl-security is for directly connected peers and cannot be combined with ebgp-multihop',
    );
  return hops;
}

/** The largest number of whole hours in a Long-Lived Stale Time, which is a 24-bit number of seconds (RFC 9494 section 3.1). */
const maxStaleHours = 4660;

/** How the peer keeps our routes while the speaker restarts; `undefined` without graceful restart. */
function resolveRestart(
  raw: Sound<RawPeer>,
  holdTimeSeconds: number,
  path: Path,
  findings: Findings,
): GracefulRestartConfig | undefined {
  const written = raw['graceful-restart'];
  if (written === undefined || written === false) return undefined;
  const at = [...path, 'restart-time'];
  const time = written === true ? undefined : readSeconds(written['restart-time'], at, findings);
  if (time !== undefined && (time < 1 || time > 4095))
    findings.error(at, () => `${time}s is not allowed: 1s to 4095s (RFC 4724)`);
  const staleAt = [...path, 'long-lived-stale-time'];
  const stale =
    written === true ? 0 : (readSeconds(written['long-lived-stale-time'], staleAt, findings) ?? 0);
  if (stale > maxStaleHours * 3600)
    findings.error(staleAt, () => `${stale}s is not allowed: 0s to ${maxStaleHours}h (RFC 9494)`);
  return {
    restartTimeSeconds: time ?? Math.min(4095, holdTimeSeconds || defaults.holdTimeSeconds),
    ...(stale === 0 ? {} : { longLivedStaleTimeSeconds: stale }),
  };
}

/** The families of a session, sorted; `undefined` when the key is absent. */
function resolveFamilies(
  raw: Sound<RawPeer>['families'],
  path: Path,
  findings: Findings,
): readonly Family[] | undefined {
  if (raw === undefined) return undefined;
  if (raw.length === 0)
    findings.error(path, () => 'expected ipv4 or ipv6 in the list; leave the key out for both');
  raw.forEach((name, i) => {
    if (name !== undefined && raw.indexOf(name) < i)
      findings.error([...path, i], () => `${name} is listed twice`);
  });
  return ([4, 6] as const).filter((family) => raw.includes(`ipv${family}`));
}
