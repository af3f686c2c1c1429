/**
 * A child process that `route-senders.ts` starts: connects to the router, sends routes, and withdraws them after a line on standard input.
 *   .cache/bin/node bench/support/bgp-sender.ts speaker|bare ROUTES
 * `speaker` runs all of Bellman's BGP. `bare` is a socket that replays the same bytes, encoded in advance.
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { Registry } from 'prom-client';
import type { Prefix } from '../../src/address/index.ts';
import { encodeMessage, FrameReader } from '../../src/bgp/codec/index.ts';
import { localOpen } from '../../src/bgp/negotiation.ts';
import { AdjRibOut } from '../../src/bgp/rib/adj-rib-out.ts';
import { AttributeTable } from '../../src/bgp/rib/attribute-table.ts';
import { PrefixTable } from '../../src/bgp/rib/prefix-table.ts';
import { UpdateWriter } from '../../src/bgp/rib/update-writer.ts';
import { createBgpSpeaker } from '../../src/bgp/speaker.ts';
import type { RouteAttributes } from '../../src/bgp/speaker-api.ts';
import { warmUp } from '../../src/bgp/warm-up.ts';
import { systemClock } from '../../src/clock.ts';
import { createLogger } from '../../src/log.ts';
import { ip } from '../../test/support/addresses.ts';

const [, , kind, countText] = process.argv;
const count = Number(countText);
const ourAddress = ip('192.0.2.1');
const routerAddress = ip('192.0.2.2');
const routerId = 0xc0000201;
const attributes: RouteAttributes = { asPathPrepend: 0, communities: [0xfc000001], largeCommunities: [] };
const routes: readonly Prefix[] = Array.from({ length: count }, (_, i) => ({
  family: 4,
  value: 0x0a000000n + BigInt(i),
  length: 32,
}));

/** Calls `withdraw` when a line arrives on standard input. */
function onLine(withdraw: () => void): void {
  createInterface({ input: process.stdin }).once('line', withdraw);
}

async function speak(): Promise<void> {
  // The clock's timers do not keep the process alive.
  const alive = setInterval(() => {}, 2 ** 30);
  await warmUp(systemClock);
  clearInterval(alive);
  const speaker = createBgpSpeaker({
    logger: createLogger('speaker', 'error'),
    registry: new Registry(),
    hostName: 'bench',
  });
  for (const route of routes) speaker.announce('router', route, attributes);
  speaker.synced();
  speaker.setPeers([
    {
      id: 'router',
      settings: {
        name: 'router',
        localAsn: 64512,
        peerAsn: 64500,
        address: routerAddress,
        port: 179,
        holdTimeSeconds: 90,
        keepaliveTimeSeconds: 30,
        connectRetrySeconds: 1,
        ttlSecurity: false,
        passive: false,
      },
      routerId,
    },
  ]);
  onLine(() => {
    for (const route of routes) speaker.withdraw('router', route);
  });
}

/** All messages that an Adj-RIB-Out has to send. */
function messages(writer: UpdateWriter): Buffer {
  const chunks: Uint8Array[] = [];
  for (let written = writer.next(); written; written = writer.next()) chunks.push(written.bytes);
  return Buffer.concat(chunks);
}

function replay(): void {
  const prefixes = new PrefixTable();
  const sets = new AttributeTable();
  const rib = new AdjRibOut(prefixes, sets);
  const writer = new UpdateWriter(rib, prefixes, sets, {
    internal: false,
    localAsn: 64512,
    fourOctetAs: true,
    sendLimit: 4096,
    nextHops: { 4: [ourAddress] },
  });
  rib.up([4], false);
  rib.synced();
  for (const route of routes) rib.announce(route, attributes);
  const announcements = messages(writer);
  rib.withdrawAll();
  const withdrawals = messages(writer);
  const options = { fourOctetAs: true };
  const open = localOpen({
    asn: 64512,
    peerAsn: 64500,
    routerId,
    holdTimeSeconds: 90,
    keepaliveTimeSeconds: 30,
    hostName: '',
    overIpv6: false,
    bfdStrict: false,
    refusedCapabilities: new Set([6]),
  });
  const socket = connect({ host: '192.0.2.2', port: 179, noDelay: true });
  const frames = new FrameReader();
  let heard = 0;
  socket.once('connect', () => socket.write(encodeMessage(open, options)));
  socket.on('data', (bytes: Buffer) => {
    frames.push(bytes);
    for (let frame = frames.next(65535); frame; frame = frames.next(65535)) {
      heard++;
      // The first message is the router's OPEN, the second its KEEPALIVE.
      if (heard === 1) socket.write(encodeMessage({ kind: 'keepalive' }, options));
      if (heard === 2) socket.write(announcements);
    }
  });
  onLine(() => socket.write(withdrawals));
}

if (kind === 'speaker') await speak();
else replay();
