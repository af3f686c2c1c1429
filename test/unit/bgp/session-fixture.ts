/** A speaker in virtual time, with routers in memory. */
import assert from 'node:assert/strict';
import { type DestinationStream, pino } from 'pino';
import { Registry } from 'prom-client';
import type { Capability, Message, OpenMessage } from '../../../src/bgp/message.ts';
import type { PeerSettings, ResolvedPeer } from '../../../src/bgp/peer.ts';
import { type BgpSpeakerOptions, createBgpSpeaker } from '../../../src/bgp/speaker.ts';
import type { RouteAttributes } from '../../../src/bgp/speaker-api.ts';
import { ip, prefix } from '../../support/addresses.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { type MemoryStream, MemoryTransport } from './memory-transport.ts';

export const routerAddress = ip('192.0.2.2');
export const host = prefix('198.51.100.1/32');
export const plain: RouteAttributes = { asPathPrepend: 0, communities: [], largeCommunities: [] };

/** The router as a peer. Its id is its name. */
export function peer(changes: Partial<PeerSettings> = {}): ResolvedPeer {
  const settings: PeerSettings = {
    name: 'router',
    localAsn: 64512,
    peerAsn: 64500,
    address: routerAddress,
    port: 179,
    holdTimeSeconds: 90,
    keepaliveTimeSeconds: 30,
    connectRetrySeconds: 5,
    ttlSecurity: false,
    passive: false,
    ...changes,
  };
  return { settings, id: settings.name, routerId: 0xc0000201 };
}

export const gracefulRestart: Capability = {
  kind: 'graceful-restart',
  restarting: false,
  notification: true,
  restartTimeSeconds: 60,
  families: [],
};

export function open(...more: readonly Capability[]): OpenMessage {
  return {
    kind: 'open',
    version: 4,
    myAs: 64500,
    holdTimeSeconds: 90,
    routerId: 0xc0000202,
    capabilities: [
      { kind: 'multiprotocol', family: { afi: 1, safi: 1 } },
      { kind: 'four-octet-as', asn: 64500 },
      ...more,
    ],
  };
}

export const keepalive: Message = { kind: 'keepalive' };
export const notification = (code: number, subcode: number, data = new Uint8Array(0)): Message => ({
  kind: 'notification',
  code,
  subcode,
  data,
});

export function fixture(
  options: Partial<
    Pick<BgpSpeakerOptions, 'restarting' | 'interfaces' | 'recorder' | 'onSessionChange'>
  > = {},
) {
  const clock = new VirtualClock();
  const transport = new MemoryTransport();
  const lines: string[] = [];
  const destination: DestinationStream = { write: (line) => void lines.push(line) };
  const registry = new Registry();
  const speaker = createBgpSpeaker({
    logger: pino({}, destination),
    registry,
    hostName: 'node-1',
    clock,
    random: () => 0.999,
    transport,
    interfaces: () => [{ name: 'eth0', addresses: [ip('192.0.2.1'), ip('2001:db8::1')] }],
    ...options,
  });
  return {
    clock,
    transport,
    lines,
    registry,
    speaker,
    /** Establishes the session on the newest connection. */
    establish(...capabilities: readonly Capability[]): MemoryStream {
      const stream = transport.last;
      stream.connected();
      stream.send(open(...capabilities), keepalive);
      assert.equal(speaker.status()[0]?.state, 'Established');
      return stream;
    },
    status() {
      const [first] = speaker.status();
      assert.ok(first);
      return first;
    },
  };
}
