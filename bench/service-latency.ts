/**
 * Latency of a change of one Service among 10,000: from the octets of its watch event to the UPDATE at the socket of the BGP peer. The
 * peer runs in this process too, which adds to the latency.
 *   lab/world .cache/bin/node bench/service-latency.ts [--services N] [--changes N]
 * Fails when the p99 is over 10 ms.
 */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { Registry } from 'prom-client';
import { encodeMessage, FrameReader } from '../src/bgp/codec/index.ts';
import { localOpen } from '../src/bgp/negotiation.ts';
import { createBgpSpeaker } from '../src/bgp/speaker.ts';
import { systemClock } from '../src/clock.ts';
import { parseConfig } from '../src/config/index.ts';
import type { RawObject } from '../src/kubernetes/api.ts';
import { decodeEndpointSlice, decodeNode, decodeService } from '../src/kubernetes/decode.ts';
import { textLines } from '../src/kubernetes/text-lines.ts';
import { readWatchEvent } from '../src/kubernetes/watch-event.ts';
import { createLogger } from '../src/log.ts';
import { NodeSpeaker } from '../src/speaker/node-speaker.ts';
import { Guard } from '../src/telemetry/guard.ts';
import { Turns } from '../src/turns.ts';
import { eventually } from '../test/support/eventually.ts';

const { values } = parseArgs({
  options: { services: { type: 'string', default: '10000' }, changes: { type: 'string', default: '2000' } },
});
const count = Number(values.services);
const changes = Number(values.changes);
const p99LimitMs = 10;
const patienceMs = 60_000;
const options = { fourOctetAs: true };

/** A peer that establishes a session and calls back for every chunk that it receives. */
async function startPeer(heard: () => void): Promise<number> {
  const server = createServer((socket: Socket) => {
    const frames = new FrameReader();
    let messages = 0;
    const open = localOpen({
      asn: 64500,
      peerAsn: 64512,
      routerId: 1,
      holdTimeSeconds: 240,
      keepaliveTimeSeconds: 80,
      hostName: '',
      overIpv6: false,
      bfdStrict: false,
      refusedCapabilities: new Set([6]),
    });
    socket.write(encodeMessage(open, options));
    socket.on('data', (bytes: Buffer) => {
      heard();
      frames.push(bytes);
      for (let frame = frames.next(65535); frame; frame = frames.next(65535))
        if (messages++ === 0) socket.write(encodeMessage({ kind: 'keepalive' }, options));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const meta = (i: number) => ({ namespace: 'default', name: `s${i}`, uid: `u${i}`, resourceVersion: '1' });
const address = (i: number) => `10.${32 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
const serviceObject = (i: number, isAssigned: boolean) => ({
  metadata: { ...meta(i), annotations: { 'bellman.dev/ip-allocated-from-pool': 'big' } },
  spec: {
    type: 'LoadBalancer',
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    selector: { app: `s${i}` },
    ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
  },
  status: { loadBalancer: isAssigned ? { ingress: [{ ip: address(i), ipMode: 'VIP' }] } : {} },
});
const sliceObject = (i: number) => ({
  metadata: { ...meta(i), labels: { 'kubernetes.io/service-name': `s${i}` } },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.244.1.2'], nodeName: 'node-1', conditions: { ready: true, serving: true } }],
});
const nodeObject = {
  metadata: { name: 'node-1', uid: 'n', resourceVersion: '1' },
  status: { conditions: [{ type: 'Ready', status: 'True' }], addresses: [] },
};

// A world has only 127.0.0.1 and ::1, and neither can be a next hop.
const local = '10.0.0.1';
await promisify(execFile)('ip', ['address', 'add', `${local}/32`, 'dev', 'lo']);

let heardAt = 0;
const port = await startPeer(() => {
  heardAt = performance.now();
});
const config = parseConfig(`peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 127.0.0.1, peer-port: ${port}, hold-time: 240s, router-id: ${local}}
address-pools:
- {name: big, protocol: bgp, addresses: [10.32.0.0/15]}
`);
if (!config.ok) throw new Error(JSON.stringify(config));
const bgp = createBgpSpeaker({
  logger: createLogger('bgp', 'error'),
  registry: new Registry(),
  hostName: 'bench',
});
const speaker = new NodeSpeaker({
  nodeName: 'node-1',
  isOurs: () => true,
  isOnLink: () => true,
  bfd: { setSessions: () => undefined },
  leavesWhenCordoned: false,
  ignoresExcludeLabel: false,
  namespace: 'bellman-system',
  onPeerTrouble: () => undefined,
  onLeaving: () => undefined,
  clock: systemClock,
  bgp,
  layer2: { use: () => undefined, table: () => {}, change: () => {} },
  logger: createLogger('speaker', 'error'),
  guard: new Guard({ logger: createLogger('speaker', 'error') }),
  turns: new Turns(systemClock),
});
speaker.setConfig(config.value);
speaker.setNode('node-1', decodeNode(nodeObject as unknown as RawObject));
for (let i = 0; i < count; i++) {
  speaker.setService(`default/s${i}`, decodeService(serviceObject(i, true) as unknown as RawObject));
  speaker.setEndpointSlice(`default/s${i}`, decodeEndpointSlice(sliceObject(i) as unknown as RawObject));
}
speaker.start();
await eventually('the session', () => bgp.status()[0]?.state === 'Established');
await sleep(500);

async function* line(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

const delays: number[] = [];
for (let change = 0; change < changes; change++) {
  const i = (Math.floor(change / 2) * 7919) % count;
  const object = serviceObject(i, change % 2 === 1);
  const event = `${JSON.stringify({ type: 'MODIFIED', object: { ...object, apiVersion: 'v1', kind: 'Service' } })}\n`;
  await sleep(Math.random() * 4);
  const began = performance.now();
  for await (const text of textLines(line(event), 2 ** 20)) {
    const read = readWatchEvent(text);
    if (read.kind === 'changed') speaker.setService(`default/s${i}`, decodeService(read.object));
  }
  while (heardAt < began) {
    if (performance.now() - began > patienceMs) throw new Error(`change ${change} did not reach the peer`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  delays.push(heardAt - began);
}
delays.sort((a, b) => a - b);
const at = (share: number) =>
  delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? Number.NaN;
const isWithin = at(0.99) <= p99LimitMs;
console.log(
  `${changes} changes of one Service among ${count}, watch event to peer's socket: median ${at(0.5).toFixed(2)} ms, p99 ${at(0.99).toFixed(2)} ms (${isWithin ? 'within' : 'OVER'} ${p99LimitMs} ms), max ${at(1).toFixed(2)} ms`,
);
process.exit(isWithin ? 0 : 1);
