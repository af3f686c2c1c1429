import { familyOfText } from '../../address/index.ts';
import type { RawPeer } from '../../config/index.ts';
import type { Draft } from '../draft.ts';
import type { Field, Fields } from '../fields.ts';
import { placeOf, type SourceObject, specOf } from '../objects.ts';
import type { Report } from '../report.ts';
import { secretAdvice } from '../secrets.ts';
import { show, showSome } from '../text.ts';

/** Converts a BGPPeer. Returns false when the configuration cannot express the peer, which is then left out. */
export function convertPeer(
  object: SourceObject,
  profiles: ReadonlySet<string>,
  draft: Draft,
  report: Report,
): boolean {
  const spec = specOf(object, report);
  const address = spec.text('peerAddress');
  if (!address) {
    if (!spec.has('interface')) {
      spec.lacks('peerAddress', 'the address of the router');
      return true;
    }
    for (const name of spec.names())
      report.row(
        placeOf(object, `spec.${name}`),
        'not carried',
        'Bellman needs the address of a peer; it cannot find the router of an interface',
      );
    return false;
  }
  const at = draft.nextPeer;
  report.cameFrom(at, placeOf(object));
  const to = (key: string) => `${at}.${key}`;
  const peer: RawPeer = {
    name: object.name,
    'my-asn': required(spec, 'myASN', 'our AS number')?.carried(to('my-asn')) ?? 0,
    'local-asn': spec.number('localASN')?.carried(to('local-asn')),
    'peer-asn': peerAsnOf(spec, to('peer-asn')),
    'peer-address': address.carried(to('peer-address')),
    interface: interfaceOf(spec, to('interface')),
    'source-address': spec.text('sourceAddress')?.carried(to('source-address')),
    'peer-port': spec.number('peerPort')?.carried(to('peer-port')),
    ...timesOf(spec, object.apiVersion.endsWith('/v1beta1'), to),
    'router-id': spec.text('routerID')?.carried(to('router-id')),
    'node-selectors': spec.selectors('nodeSelectors')?.carried(to('node-selectors')),
    ...passwordOf(spec, object.namespace, to),
    'bfd-profile': bfdOf(spec, profiles, to('bfd-profile')),
    'graceful-restart': spec.boolean('enableGracefulRestart')?.carried(to('graceful-restart')),
  };
  peer['ebgp-multihop'] = multihopOf(spec, peer, to('ebgp-multihop'));
  peer.families = familiesOf(spec, address.value, to('families'));
  spec.dropOthers('Bellman knows no such setting of a peer');
  draft.addPeer(peer);
  return true;
}

function required(spec: Fields, name: string, expected: string): Field<number> | undefined {
  const field = spec.number(name);
  if (!field && !spec.has(name)) spec.lacks(name, expected);
  return field;
}

function peerAsnOf(spec: Fields, to: string): RawPeer['peer-asn'] {
  const asn = spec.number('peerASN');
  const dynamic = spec.text('dynamicASN');
  // Tools write an absent number as 0.
  const isNumber = asn !== undefined && asn.value !== 0;
  if (isNumber && dynamic) dynamic.refuse('peerASN and dynamicASN cannot be combined; remove one of them');
  if (isNumber) return asn.carried(to);
  if (asn && dynamic) asn.changed('', 'left out; dynamicASN takes its place');
  if (!dynamic) spec.lacks('peerASN', "the router's AS number, or dynamicASN");
  if (dynamic?.value === 'internal' || dynamic?.value === 'external')
    return dynamic.carried(to) as 'internal' | 'external';
  dynamic?.refuse(`expected internal or external, not ${show(dynamic.value)}`);
  return 0;
}

/** The interface to which the session is bound: the field `interface`, or else the device of the VRF. */
function interfaceOf(spec: Fields, to: string): string | undefined {
  const [bound, vrf] = [spec.text('interface'), spec.text('vrf')];
  if (bound && vrf) vrf.dropped('the session is bound to the interface');
  if (bound) return bound.carried(to);
  return vrf?.changed(to, 'the session is bound to the device of the VRF');
}

function timesOf(
  spec: Fields,
  isVersion1: boolean,
  to: (key: string) => string,
): Pick<RawPeer, 'hold-time' | 'keepalive-time' | 'connect-time'> {
  const hold = spec.text('holdTime');
  const keepalive = spec.text('keepaliveTime');
  // In v1beta1, a `holdTime` of zero means that the field is absent. In v1beta1 and v1beta2, keepalives follow the hold time when `keepaliveTime`
  // is zero.
  const absent = 'left out; MetalLB reads 0s as absent';
  const isAbsent = (field: Field<string> | undefined) => field !== undefined && /^0s?$/.test(field.value);
  return {
    'hold-time':
      isVersion1 && isAbsent(hold) ? void hold?.changed('', absent) : hold?.carried(to('hold-time')),
    'keepalive-time': isAbsent(keepalive)
      ? void keepalive?.changed('', 'left out; keepalives follow the hold time')
      : keepalive?.carried(to('keepalive-time')),
    'connect-time': spec.text('connectTime')?.carried(to('connect-time')),
  };
}

function passwordOf(
  spec: Fields,
  namespace: string,
  to: (key: string) => string,
): Pick<RawPeer, 'password' | 'password-secret'> {
  const password = spec.text('password')?.carried(to('password'));
  const secret = spec.object('passwordSecret');
  const name = secret?.text('name');
  const from = secret?.text('namespace');
  from?.changed('', 'the Secret must be in the namespace of Bellman');
  if (secret && !name) secret.lacks('name', 'the name of the Secret');
  if (!name) return { password };
  const place = to('password-secret');
  return {
    password,
    'password-secret': {
      name: name.changed(
        place,
        secretAdvice(name.value, `namespace ${show(from?.value ?? (namespace || 'metallb-system'))}`),
      ),
    },
  };
}

function multihopOf(spec: Fields, peer: RawPeer, to: string): boolean | undefined {
  const multihop = spec.boolean('ebgpMultiHop');
  if (!multihop) return undefined;
  const ourAsn = peer['local-asn'] ?? peer['my-asn'];
  if (peer['peer-asn'] === 'internal' || peer['peer-asn'] === ourAsn)
    return void multihop.changed(
      '',
      'left out; the peer has our AS number, and the setting is for other AS numbers',
    );
  // In MetalLB, false is the default. In MetalLB's native mode, a session with false may still cross several hops. In Bellman, false allows only
  // one hop.
  if (!multihop.value)
    return void multihop.changed(
      '',
      'left out; packets keep the TTL of the system, so the session comes up as before',
    );
  return multihop.carried(to);
}

/**
 * The families of a session. In MetalLB since v0.15, a session carries only the family of its address, unless `dualStackAddressFamily` is
 * set. The API server writes `false`, the default of this field, into every BGPPeer. A BGPPeer without the field therefore counts as one of an
 * older MetalLB, in which only `disableMP` limits the session.
 */
function familiesOf(spec: Fields, address: string, to: string): RawPeer['families'] {
  const [disable, dual] = [spec.boolean('disableMP'), spec.boolean('dualStackAddressFamily')];
  const own = familyOfText(address) === 6 ? 'ipv6' : 'ipv4';
  if (dual?.value === true || (dual === undefined && disable?.value !== true)) {
    dual?.changed('', 'left out; both families are the default');
    disable?.changed('', 'left out; the session carries both families');
    return undefined;
  }
  dual?.changed(to, `[${own}], the family of the session`);
  disable?.changed(to, `[${own}], the family of the session`);
  return [own];
}

function bfdOf(spec: Fields, profiles: ReadonlySet<string>, to: string): string | undefined {
  const profile = spec.text('bfdProfile');
  if (profile && !profiles.has(profile.value))
    profile.refuse(`there is no BFDProfile ${show(profile.value)}; profiles: ${showSome([...profiles])}`);
  return profile?.carried(to);
}

export function convertBfdProfile(object: SourceObject, draft: Draft, report: Report): void {
  const spec = specOf(object, report);
  const at = `bfd-profiles[${draft.bfdProfiles.length}]`;
  report.cameFrom(at, placeOf(object));
  draft.bfdProfiles.push({
    name: object.name,
    'receive-interval': spec.number('receiveInterval')?.carried(`${at}.receive-interval`),
    'transmit-interval': spec.number('transmitInterval')?.carried(`${at}.transmit-interval`),
    'detect-multiplier': spec.number('detectMultiplier')?.carried(`${at}.detect-multiplier`),
    'echo-interval': spec.number('echoInterval')?.carried(`${at}.echo-interval`),
    'echo-mode': spec.boolean('echoMode')?.carried(`${at}.echo-mode`),
    'passive-mode': spec.boolean('passiveMode')?.carried(`${at}.passive-mode`),
    'minimum-ttl': spec.number('minimumTtl')?.carried(`${at}.minimum-ttl`),
  });
  spec.dropOthers('Bellman knows no such setting of BFD');
}
