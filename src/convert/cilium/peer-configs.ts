/** CiliumBGPPeerConfig: settings that several peers share. They are written into each peer that refers to them. */
import type { RawPeer } from '../../config/index.ts';
import type { PlacedPeer } from '../draft.ts';
import type { Field, Fields } from '../fields.ts';
import { placeOf, type SourceObject, specOf } from '../objects.ts';
import type { Report } from '../report.ts';
import { secretAdvice } from '../secrets.ts';
import { type Selector, selects } from '../selectors.ts';

interface PeerFamily {
  readonly afi: Field<string> | undefined;
  readonly safi: Field<string> | undefined;
  readonly advertisements: Field<Selector> | undefined;
}

export interface PeerConfigSource {
  readonly spec: Fields;
  readonly families: readonly PeerFamily[];
  readonly port: Field<number> | undefined;
  readonly sourceInterface: Field<string> | undefined;
  readonly times: readonly { readonly key: TimeKey; readonly field: Field<number> }[];
  readonly secret: Field<string> | undefined;
  readonly multihop: Field<number> | undefined;
  readonly restart: {
    readonly enabled: Field<boolean> | undefined;
    readonly time: Field<number> | undefined;
  };
  /** The peers that refer to these settings. */
  readonly users: PlacedPeer[];
}

type TimeKey = 'hold-time' | 'keepalive-time' | 'connect-time';
const times = [
  ['holdTimeSeconds', 'hold-time'],
  ['keepAliveTimeSeconds', 'keepalive-time'],
  ['connectRetryTimeSeconds', 'connect-time'],
] as const;

/** Cilium's default for the restart time. */
const defaultRestartSeconds = 120;

export function readPeerConfigs(
  objects: readonly SourceObject[],
  report: Report,
): ReadonlyMap<string, PeerConfigSource> {
  const configs = new Map<string, PeerConfigSource>();
  for (const object of objects)
    if (configs.has(object.name))
      report.refuse(
        placeOf(object),
        'there is another CiliumBGPPeerConfig of this name; give only one of them',
      );
    else configs.set(object.name, readPeerConfig(specOf(object, report)));
  return configs;
}

function readPeerConfig(spec: Fields): PeerConfigSource {
  const [transport, timers, restart] = [
    spec.object('transport'),
    spec.object('timers'),
    spec.object('gracefulRestart'),
  ];
  return {
    spec,
    families: spec.objects('families').map((family) => ({
      afi: family.text('afi'),
      safi: family.text('safi'),
      advertisements: family.selector('advertisements'),
    })),
    port: transport?.number('peerPort'),
    sourceInterface: transport?.text('sourceInterface'),
    times: times.flatMap(([name, key]) => {
      const field = timers?.number(name);
      return field ? [{ key, field }] : [];
    }),
    secret: spec.text('authSecretRef'),
    multihop: spec.number('ebgpMultihop'),
    restart: { enabled: restart?.boolean('enabled'), time: restart?.number('restartTimeSeconds') },
    users: [],
  };
}

/** The keys that these settings add to each peer that refers to them. `isInternal`: the peer has our AS number. */
export function peerKeysOf(config: PeerConfigSource, isInternal: boolean): Partial<RawPeer> {
  const { port, secret, multihop, restart } = config;
  return {
    'peer-port': port?.value,
    ...Object.fromEntries(config.times.map(({ key, field }) => [key, `${field.value}s`])),
    'password-secret': secret && { name: secret.value },
    'ebgp-multihop': isInternal || !multihop ? undefined : multihop.value === 1 ? false : multihop.value,
    families: familiesOf(config),
    'graceful-restart':
      restart.enabled?.value === true
        ? { 'restart-time': `${restart.time?.value ?? defaultRestartSeconds}s` }
        : undefined,
  };
}

/** The only family of the session, or `undefined` when the settings do not limit the session to one family. */
function familiesOf({ families }: PeerConfigSource): RawPeer['families'] {
  const named = (['ipv4', 'ipv6'] as const).filter((name) =>
    families.some(({ afi, safi }) => afi?.value === name && safi?.value === 'unicast'),
  );
  return named.length === 1 ? named : undefined;
}

/** Whether Bellman speaks the family. */
function isSpoken(afi: Field<string> | undefined, safi: Field<string> | undefined): boolean {
  return safi?.value === 'unicast' && (afi?.value === 'ipv4' || afi?.value === 'ipv6');
}

/** Whether a peer with these settings gets the advertisements of a CiliumBGPAdvertisement with these labels. */
export function advertises(config: PeerConfigSource, labels: Readonly<Record<string, string>>): boolean {
  return config.families.some(
    ({ afi, safi, advertisements }) =>
      isSpoken(afi, safi) && advertisements !== undefined && selects(advertisements.value, labels),
  );
}

/** Gives each field of the settings its outcome. Call it after all peers are converted, because the rows name each peer that uses the settings. */
export function reportPeerConfig(config: PeerConfigSource): void {
  const { users, spec, restart } = config;
  const to = (key: string) => users.map(({ at }) => `${at}.${key}`);
  const all = [
    config.port,
    config.sourceInterface,
    config.secret,
    config.multihop,
    restart.enabled,
    restart.time,
  ];
  const fields = [
    ...all,
    ...config.times.map(({ field }) => field),
    ...config.families.flatMap(({ afi, safi, advertisements }) => [afi, safi, advertisements]),
  ];
  if (users.length === 0) {
    for (const field of fields) field?.dropped('no peer refers to these settings');
    spec.dropOthers('no peer refers to these settings');
    return;
  }
  config.port?.carried(to('peer-port'));
  config.sourceInterface?.dropped(
    'the source address of a session follows from the route to the peer; for a fixed one, write a peer with source-address for each node',
  );
  for (const { key, field } of config.times) field.changed(to(key), `${field.value}s`);
  config.secret?.changed(
    to('password-secret'),
    secretAdvice(config.secret.value, "Cilium's namespace for BGP Secrets (kube-system by default)"),
  );
  reportMultihop(config);
  if (restart.enabled?.value) {
    restart.enabled.carried(to('graceful-restart'));
    restart.time?.carried(to('graceful-restart.restart-time'));
  } else {
    restart.enabled?.changed('', 'left out; graceful restart is off by default');
    restart.time?.changed('', 'left out; graceful restart is off');
  }
  for (const { afi, safi, advertisements } of config.families) {
    if (safi?.value === 'unicast' && (afi?.value === 'ipv4' || afi?.value === 'ipv6')) {
      const places = familiesOf(config) ? to('families') : '';
      const how = familiesOf(config) ? afi.value : 'left out; both families are the default';
      afi.changed(places, how);
      safi.changed(places, how);
      advertisements?.changed(to('name'), 'the selected advertisements get the name of this peer');
    } else {
      afi?.dropped('Bellman speaks only IPv4 unicast and IPv6 unicast');
      safi?.dropped('Bellman speaks only IPv4 unicast and IPv6 unicast');
      advertisements?.dropped('Bellman speaks only IPv4 unicast and IPv6 unicast');
    }
  }
  spec.dropOthers('Bellman knows no such setting of a peer');
}

function reportMultihop({ multihop, users }: PeerConfigSource): void {
  const to = users
    .filter(({ value }) => value['ebgp-multihop'] !== undefined)
    .map(({ at }) => `${at}.ebgp-multihop`);
  if (to.length === 0) multihop?.changed('', 'left out; the peers have our AS number');
  else if (multihop?.value === 1) multihop.changed(to, 'false, which allows one hop');
  else multihop?.carried(to);
}
