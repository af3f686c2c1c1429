import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nextHopWaitMs } from '../../../src/bgp/session/route-output.ts';
import { ip, prefix } from '../../support/addresses.ts';
import { fixture, host, keepalive, open, peer, plain } from './session-fixture.ts';

describe('the interfaces of the node', () => {
  test('IPv6 routes are sent only while the node has a global IPv6 address, and the status shows whether they are sent', () => {
    const withoutIpv6 = [{ name: 'eth0', addresses: [ip('192.0.2.1')] }];
    const withIpv6 = [{ name: 'eth0', addresses: [ip('192.0.2.1'), ip('2001:db8::1')] }];
    let interfaces = withoutIpv6;
    const { speaker, clock, establish, status, lines } = fixture({ interfaces: () => interfaces });
    speaker.setPeers([peer()]);
    speaker.announce('router', prefix('2001:db8:100::1/128'), plain);
    speaker.synced();
    const stream = establish({ kind: 'multiprotocol', family: { afi: 2, safi: 1 } });
    clock.advance(1);
    assert.deepEqual(status().families, ['ipv4-unicast']);
    assert.match(status().warnings.join(), /ipv6-unicast is not sent: .*no global IPv6 address/);
    const updates = () => stream.messages.filter((message) => message.kind === 'update').slice(1);
    // At an End-of-RIB of IPv6, a peer that keeps our earlier IPv6 routes would drop them. The IPv6 address of the node may return soon, so the
    // speaker does not send this End-of-RIB yet.
    assert.equal(updates().length, 0, 'only the End-of-RIB of IPv4 was sent');
    interfaces = withIpv6;
    clock.advance(1001);
    assert.deepEqual(status().families, ['ipv4-unicast', 'ipv6-unicast']);
    assert.deepEqual(status().warnings, []);
    const [announced, endOfRib] = updates();
    assert.deepEqual(announced?.attributes.mpReach?.nextHops, [ip('2001:db8::1')]);
    assert.equal(endOfRib?.attributes.mpUnreach?.withdrawn.length, 0);
    interfaces = [{ name: 'eth0', addresses: [ip('192.0.2.1'), ip('2001:db8::2'), ip('2001:db8::1')] }];
    clock.advance(1001);
    assert.equal(updates().length, 2, 'a new address beside the next hop changes nothing');
    interfaces = [{ name: 'eth0', addresses: [ip('192.0.2.1'), ip('2001:db8::2')] }];
    speaker.interfacesChanged();
    clock.advance(1);
    assert.deepEqual(updates()[2]?.attributes.mpReach?.nextHops, [ip('2001:db8::2')]);
    interfaces = withoutIpv6;
    speaker.interfacesChanged();
    clock.advance(101);
    assert.equal(updates()[3]?.attributes.mpUnreach?.withdrawn.length, 1);
    assert.deepEqual(status().families, ['ipv4-unicast']);
    assert.equal(status().state, 'Established');
    assert.equal(lines.filter((line) => line.includes('now sending address family')).length, 1);
    assert.equal(lines.filter((line) => line.includes('address family not sent')).length, 2);
  });

  test('a family that stays without a next hop gets its End-of-RIB in the end (RFC 4724 section 4.1)', () => {
    const withoutIpv6 = [{ name: 'eth0', addresses: [ip('192.0.2.1')] }];
    let interfaces = [{ name: 'eth0', addresses: [ip('192.0.2.1'), ip('2001:db8::1')] }];
    const { speaker, clock, establish } = fixture({ interfaces: () => interfaces });
    speaker.setPeers([peer()]);
    speaker.announce('router', prefix('2001:db8:100::1/128'), plain);
    const stream = establish({ kind: 'multiprotocol', family: { afi: 2, safi: 1 } });
    const ipv6 = () =>
      stream.messages.flatMap((one) => {
        if (one.kind !== 'update') return [];
        const { mpReach, mpUnreach } = one.attributes;
        if (mpReach) return ['route'];
        return mpUnreach ? [mpUnreach.withdrawn.length > 0 ? 'withdrawal' : 'End-of-RIB'] : [];
      });
    clock.advance(nextHopWaitMs);
    interfaces = withoutIpv6;
    speaker.interfacesChanged();
    speaker.synced();
    clock.advance(nextHopWaitMs - 1);
    stream.send(keepalive);
    assert.deepEqual(ipv6(), ['route', 'withdrawal'], 'the address may return');
    clock.advance(2);
    assert.deepEqual(ipv6(), ['route', 'withdrawal', 'End-of-RIB']);
  });

  test('a family that the peer did not offer gets no End-of-RIB', () => {
    const { speaker, clock, establish } = fixture({
      interfaces: () => [{ name: 'eth0', addresses: [ip('192.0.2.1')] }],
    });
    speaker.setPeers([peer()]);
    speaker.synced();
    const stream = establish();
    clock.advance(nextHopWaitMs + 1);
    const updates = stream.messages.filter((message) => message.kind === 'update');
    assert.equal(updates.length, 1, 'the End-of-RIB of IPv4');
  });

  test('routes get a new next hop when the old one moves to an interface that the session does not use', () => {
    const eth1 = { name: 'eth1', addresses: [ip('203.0.113.1')] };
    let interfaces = [{ name: 'eth0', addresses: [ip('192.0.2.1'), ip('2001:db8::1')] }, eth1];
    const { speaker, clock, establish } = fixture({ interfaces: () => interfaces });
    speaker.setPeers([peer()]);
    speaker.announce('router', prefix('2001:db8:100::1/128'), plain);
    const stream = establish({ kind: 'multiprotocol', family: { afi: 2, safi: 1 } });
    clock.advance(1);
    interfaces = [
      { name: 'eth0', addresses: [ip('192.0.2.1'), ip('2001:db8::2')] },
      { ...eth1, addresses: [...eth1.addresses, ip('2001:db8::1')] },
    ];
    clock.advance(1001);
    const nextHops = stream.messages.flatMap((one) =>
      one.kind === 'update' ? (one.attributes.mpReach?.nextHops ?? []) : [],
    );
    assert.deepEqual(nextHops, [ip('2001:db8::1'), ip('2001:db8::2')]);
  });

  test('a session that comes up while the node has lost its IPv6 address for a moment carries IPv6 once the address is back', () => {
    const whole = [{ name: 'eth0', addresses: [ip('192.0.2.1'), ip('2001:db8::1')] }];
    let interfaces = whole;
    const { speaker, clock, establish, status } = fixture({ interfaces: () => interfaces });
    speaker.setPeers([peer()]);
    interfaces = [{ name: 'eth0', addresses: [ip('192.0.2.1')] }];
    establish({ kind: 'multiprotocol', family: { afi: 2, safi: 1 } });
    interfaces = whole;
    clock.advance(1001);
    assert.deepEqual(status().families, ['ipv4-unicast', 'ipv6-unicast']);
  });

  test('a session comes up although the interfaces cannot be read, and carries all families once the interfaces can be read again', () => {
    let isBroken = false;
    const { speaker, clock, establish, status } = fixture({
      interfaces: () => {
        if (isBroken) throw new Error('getifaddrs failed');
        return [{ name: 'eth0', addresses: [ip('192.0.2.1'), ip('2001:db8::1')] }];
      },
    });
    speaker.setPeers([peer()]);
    isBroken = true;
    establish({ kind: 'multiprotocol', family: { afi: 2, safi: 1 } });
    assert.deepEqual(status().families, ['ipv4-unicast']);
    isBroken = false;
    clock.advance(1001);
    assert.deepEqual(status().families, ['ipv4-unicast', 'ipv6-unicast']);
  });

  test('when the node loses its IPv6 address and gets another one before the withdrawals are sent, the routes get the new next hop', () => {
    const withIpv6 = (text: string) => [{ name: 'eth0', addresses: [ip('192.0.2.1'), ip(text)] }];
    let interfaces = withIpv6('2001:db8::1');
    const { speaker, clock, establish } = fixture({ interfaces: () => interfaces });
    speaker.setPeers([peer()]);
    speaker.announce('router', prefix('2001:db8:100::1/128'), plain);
    const stream = establish({ kind: 'multiprotocol', family: { afi: 2, safi: 1 } });
    clock.advance(1);
    const nextHops = () =>
      stream.messages.flatMap((one) =>
        one.kind === 'update' ? (one.attributes.mpReach?.nextHops ?? []) : [],
      );
    assert.deepEqual(nextHops(), [ip('2001:db8::1')]);
    stream.queuedBytes = 300_000;
    interfaces = [{ name: 'eth0', addresses: [ip('192.0.2.1')] }];
    speaker.interfacesChanged();
    clock.advance(200);
    interfaces = withIpv6('2001:db8::2');
    speaker.interfacesChanged();
    clock.advance(200);
    stream.queuedBytes = 0;
    speaker.announce('router', host, plain);
    clock.advance(1);
    assert.deepEqual(nextHops(), [ip('2001:db8::1'), ip('2001:db8::2')]);
  });

  test('a link that goes down ends the sessions of its directly connected peers, and no others', () => {
    const eth0 = { name: 'eth0', addresses: [ip('192.0.2.1')], subnets: [prefix('192.0.2.0/24')] };
    const eth1 = { name: 'eth1', addresses: [ip('203.0.113.1')], subnets: [prefix('203.0.113.0/24')] };
    let interfaces = [eth0, eth1];
    const { speaker, clock, transport } = fixture({ interfaces: () => interfaces });
    const remote = peer({ name: 'remote', address: ip('198.51.100.9'), ebgpHops: 3 });
    speaker.setPeers([peer(), remote]);
    for (const stream of transport.streams) {
      stream.connected();
      stream.send(open(), keepalive);
    }
    interfaces = [eth1];
    speaker.interfacesChanged();
    const states = () => speaker.status().map(({ state }) => state);
    assert.deepEqual(states(), ['Idle', 'Established']);
    assert.equal(speaker.status()[0]?.lastError, 'link eth0 is down or has no address left');
    assert.equal(transport.streams[0]?.isOpen, false);
    interfaces = [eth0, eth1];
    clock.advance(1001);
    assert.deepEqual(states(), ['Connect', 'Established'], 'the session is retried');
  });

  test('a session that came up before its interface was listed still ends when the link goes down', () => {
    const eth0 = { name: 'eth0', addresses: [ip('192.0.2.1')], subnets: [prefix('192.0.2.0/24')] };
    let interfaces: (typeof eth0)[] = [];
    const { speaker, clock, transport } = fixture({ interfaces: () => interfaces });
    speaker.setPeers([peer()]);
    transport.streams[0]?.connected();
    transport.streams[0]?.send(open(), keepalive);
    const state = () => speaker.status()[0]?.state;
    interfaces = [eth0];
    speaker.interfacesChanged();
    clock.advance(20);
    assert.equal(state(), 'Established');
    interfaces = [];
    speaker.interfacesChanged();
    assert.equal(state(), 'Idle');
  });

  test('a session with a link-local peer survives a change of another interface while its own interface is not yet listed', () => {
    const eth0 = { name: 'eth0', addresses: [ip('192.0.2.1')] };
    const veth = { name: 'veth1', addresses: [ip('fe80::b')] };
    let interfaces: (typeof eth0)[] = [];
    const { speaker, clock, transport } = fixture({ interfaces: () => interfaces });
    speaker.setPeers([peer({ address: ip('fe80::2'), interface: 'eth0' })]);
    transport.streams[0]?.connected();
    transport.streams[0]?.send(open(), keepalive);
    const state = () => speaker.status()[0]?.state;
    for (const now of [[veth], [veth, eth0]]) {
      interfaces = now;
      speaker.interfacesChanged();
      clock.advance(20);
      assert.equal(state(), 'Established');
    }
    interfaces = [veth];
    speaker.interfacesChanged();
    assert.equal(state(), 'Idle');
  });

  test('the loss of a local address ends the sessions that use it, and no others', () => {
    const address = (text: string) => ({ addresses: [ip(text)], subnets: [prefix('192.0.2.0/24')] });
    const both = {
      name: 'eth0',
      addresses: [ip('192.0.2.1'), ip('192.0.2.7')],
      subnets: [prefix('192.0.2.0/24')],
    };
    let interfaces = [both];
    const { speaker, clock, transport } = fixture({ interfaces: () => interfaces });
    const multihop = peer({ name: 'remote', address: ip('198.51.100.9'), ebgpHops: 3 });
    speaker.setPeers([peer(), multihop]);
    for (const stream of transport.streams) {
      stream.connected();
      stream.send(open(), keepalive);
    }
    const states = () => speaker.status().map(({ state }) => state);
    interfaces = [{ name: 'eth0', ...address('192.0.2.1') }];
    speaker.interfacesChanged();
    assert.deepEqual(states(), ['Established', 'Established'], 'no session uses the lost address');
    interfaces = [{ name: 'eth0', ...address('192.0.2.7') }];
    speaker.interfacesChanged();
    assert.deepEqual(
      states(),
      ['Established', 'Established'],
      'a change during the pause after a reading is noticed when the pause ends',
    );
    clock.advance(20);
    assert.deepEqual(states(), ['Idle', 'Idle']);
    assert.equal(speaker.status()[0]?.lastError, 'the node has lost the address 192.0.2.1');
  });

  test('a local address that has moved to another interface counts as lost only if that interface is listed without it', () => {
    const on = (name: string, ...texts: string[]) => ({ name, addresses: texts.map((text) => ip(text)) });
    for (const [now, state] of [
      // The local address has moved to eth1. Here eth1 is not listed, so it may still have the address.
      [[on('eth0', '198.51.100.7')], 'Established'],
      [[on('eth1', '203.0.113.1')], 'Idle'],
    ] as const) {
      let interfaces: readonly ReturnType<typeof on>[] = [on('eth0', '192.0.2.1')];
      const { speaker, clock, establish, status } = fixture({ interfaces: () => interfaces });
      speaker.setPeers([peer({ address: ip('198.51.100.9'), ebgpHops: 3 })]);
      establish();
      for (const next of [[on('eth0', '198.51.100.7'), on('eth1', '203.0.113.1', '192.0.2.1')], now]) {
        interfaces = next;
        speaker.interfacesChanged();
        clock.advance(20);
      }
      assert.equal(status().state, state);
    }
  });
});
