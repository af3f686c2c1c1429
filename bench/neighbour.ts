/**
 * Speed of answers to neighbours: compared with the kernel on the same link, under load, and with many addresses.
 *   lab/world .cache/bin/node bench/neighbour.ts [--requests 5000] [--rate 20000] [--seconds 10] [--kernel ADDRESS] [--service ADDRESS]
 *     [--pace PER_SECOND] [--median-limit MICROSECONDS] [--p99-limit MICROSECONDS]
 * Fails when the speaker's median exceeds 100 µs, its p99 exceeds 1 ms, or less than 99.9 % of the load is answered.
 *
 * A round trip is the difference between two timestamps that the client's kernel takes on the client's interface: of the request and of the reply.
 * Delays in the client's process do not count. Requests to Bellman alternate with requests to the kernel of the speaker's host, which answers for
 * the host's own address on the same link. The line `kernel` of the output shows the round trips of this kernel.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pcap from 'pcap';
import { cable, NetworkNamespace } from '../lab/netns.ts';
import type { IpAddress } from '../src/address/index.ts';
import { encodeArp } from '../src/arp/packet.ts';
import { ArpResponder } from '../src/arp/responder.ts';
import { AddressIndex } from '../src/link/address-index.ts';
import { broadcastMac } from '../src/link/frame.ts';
import { NdpResponder } from '../src/ndp/responder.ts';
import { ip } from '../test/support/addresses.ts';
import { NeighbourHost } from '../test/support/neighbour-client.ts';
import { captured, frame, mac as macFrom, withChecksum } from '../test/support/neighbour-frames.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '5000' },
    rate: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '10' },
    kernel: { type: 'string', default: '192.0.2.1' },
    service: { type: 'string', default: '192.0.2.200' },
    /**
     * Requests per second. The client does not wait for answers, so a pause of the speaker delays every answer that is due during the
     * pause. With 0, the client sends each request after the previous answer.
     */
    pace: { type: 'string', default: '0' },
    /** Limits for the speaker's round trips, in µs. */
    'median-limit': { type: 'string', default: '100' },
    'p99-limit': { type: 'string', default: '1000' },
    /** Set for the client, which is a process in the client's namespace. Other benches start only this process, with further flags. */
    asker: { type: 'boolean', default: false },
  },
});
const askerMac = macFrom('02:00:00:00:00:03');
const { kernel: kernelAddress, service: serviceAddress } = values;

const leastAnswered = 0.999;

function request(address: string, senderIp = ip('192.0.2.3')): Buffer {
  return encodeArp({
    destination: broadcastMac,
    operation: 'request',
    senderMac: askerMac,
    senderIp,
    targetIp: ip(address),
  });
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

/** Opens one capture that sends, and one that sees requests and replies, because a socket does not receive the frames that it sends. */
function openSessions() {
  const sender = pcap.createSession('eth0', { filter: 'less 1', buffer_timeout: 0, promiscuous: false });
  const observer = pcap.createSession('eth0', {
    filter: 'arp',
    buffer_timeout: 0,
    promiscuous: false,
    snap_length: 128,
  });
  return { sender, observer };
}

/** Sends `count` requests for each address, in turns, each after the previous answer. Resolves to the sorted round trips of each address, in µs. */
async function roundTrips(addresses: readonly string[], count: number): Promise<number[][]> {
  const { sender, observer } = openSessions();
  let askedAt = 0;
  let answered: ((µs: number) => void) | undefined;
  observer.on('packet', ({ buf, header }: { buf: Buffer; header: Buffer }) => {
    const at = header.readUInt32LE(0) * 1e6 + header.readUInt32LE(4);
    if (buf[21] === 1) askedAt = at;
    else if (buf.readUInt32BE(0) === 0x02000000) answered?.(at - askedAt);
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const results = addresses.map((): number[] => []);
  const requests = addresses.map((address) => request(address));
  for (let i = 0; i < count; i++)
    for (const [which, bytes] of requests.entries()) {
      const µs = await new Promise<number>((resolve) => {
        const limit = setTimeout(() => resolve(Number.POSITIVE_INFINITY), 1000);
        answered = (value) => {
          clearTimeout(limit);
          resolve(value);
        };
        sender.inject(bytes);
      });
      results[which]?.push(µs);
    }
  return results.map((list) => list.sort((a, b) => a - b));
}

/** Sends requests at a fixed rate. Resolves to the sorted round trips in µs; unanswered requests count as infinite. */
async function pacedTrips(address: string, count: number, perSecond: number): Promise<number[]> {
  const { sender, observer } = openSessions();
  // Each request has its own source address, by which its reply is recognised.
  const firstAsker = ip('198.18.0.0').value;
  const askedAt: number[] = [];
  const trips = Array.from({ length: count }, () => Number.POSITIVE_INFINITY);
  observer.on('packet', ({ buf, header }: { buf: Buffer; header: Buffer }) => {
    const at = header.readUInt32LE(0) * 1e6 + header.readUInt32LE(4);
    const isRequest = buf[21] === 1;
    const which = buf.readUInt32BE(isRequest ? 28 : 38) - Number(firstAsker);
    if (which < 0 || which >= count) return;
    if (isRequest) askedAt[which] = at;
    else trips[which] = at - (askedAt[which] ?? at);
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const started = performance.now();
  for (let sent = 0; sent < count; await new Promise((resolve) => setTimeout(resolve, 1))) {
    const due = Math.min(count, ((performance.now() - started) * perSecond) / 1000);
    for (; sent < due; sent++)
      sender.inject(request(address, { family: 4, value: firstAsker + BigInt(sent) }));
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return trips.sort((a, b) => a - b);
}

/** Sends requests at a fixed rate and counts the replies. */
async function load(
  address: string,
  rate: number,
  seconds: number,
): Promise<{ sent: number; answered: number }> {
  const session = pcap.createSession('eth0', {
    filter: 'ether dst 02:00:00:00:00:03 and arp[6:2] = 2',
    buffer_timeout: 0,
    promiscuous: false,
    snap_length: 64,
  });
  let answered = 0;
  session.on('packet', () => {
    answered++;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const bytes = request(address);
  const started = performance.now();
  let sent = 0;
  while (sent < rate * seconds) {
    const due = Math.min(rate * seconds, ((performance.now() - started) * rate) / 1000);
    // At most 50 at once, so that a late event loop does not send an unrealistic burst.
    for (let burst = 0; sent < due && burst < 50; burst++, sent++) session.inject(bytes);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const elapsed = (performance.now() - started) / 1000;
  await new Promise((resolve) => setTimeout(resolve, 500));
  console.log(
    `load: ${sent} requests in ${elapsed.toFixed(1)} s (${Math.round(sent / elapsed)}/s), answered ${((answered / sent) * 100).toFixed(3)} %`,
  );
  return { sent, answered };
}

/** Nanoseconds and heap octets per answered request with this number of addresses in the table. */
function answerCost(family: 4 | 6, addresses: number): { ns: number; octets: number } {
  const index = new AddressIndex<{ readonly answering: boolean }>();
  const state = { answering: true };
  const base = ip(family === 4 ? '10.0.0.0' : '2001:db8::1:0:0').value;
  for (let i = 0; i < addresses; i++)
    index.set({ family, value: base + BigInt(i) } satisfies IpAddress, state);
  const mac = macFrom('02:00:00:00:00:0a');
  const template = frame(family === 4 ? captured.arpRequest : captured.solicitation);
  const requests = Array.from({ length: 256 }, (_, i) => {
    const host = base + BigInt(Math.floor((i * addresses) / 256));
    const copy = Buffer.from(template);
    if (family === 4) copy.writeUInt32BE(Number(host), 38);
    else copy.writeBigUInt64BE(host & 0xffff_ffff_ffff_ffffn, 70);
    return family === 4 ? copy : withChecksum(copy);
  });
  const responder = family === 4 ? new ArpResponder(mac, index) : new NdpResponder(mac, index);
  const rounds = 1000;
  const run = (times: number) => {
    for (let round = 0; round < times; round++)
      for (const bytes of requests)
        if (responder.receive(bytes, bytes.length) !== 'answer') throw new Error('no answer');
  };
  run(rounds);
  const heap = process.memoryUsage().heapUsed;
  const started = performance.now();
  run(rounds);
  const ns = ((performance.now() - started) * 1e6) / (rounds * requests.length);
  const octets = Math.max(0, process.memoryUsage().heapUsed - heap) / (rounds * requests.length);
  return { ns, octets };
}

/** Whether the speaker met its limits. */
function isFast(trips: readonly number[]): boolean {
  return (
    quantile(trips, 0.5) <= Number(values['median-limit']) &&
    quantile(trips, 0.99) <= Number(values['p99-limit'])
  );
}

async function ask(): Promise<void> {
  const count = Number(values.requests);
  const pace = Number(values.pace);
  const lists = new Map<string, readonly number[]>();
  if (pace > 0) lists.set('bellman', await pacedTrips(serviceAddress, count, pace));
  else if (count > 0) {
    const [kernel = [], ours = []] = await roundTrips([kernelAddress, serviceAddress], count);
    lists.set('kernel', kernel).set('bellman', ours);
  }
  for (const [name, list] of lists)
    console.log(
      `${name}: ${list.filter(Number.isFinite).length} round trips, median ${quantile(list, 0.5)} µs, p99 ${quantile(list, 0.99)} µs, max ${list.at(-1)} µs`,
    );
  const ours = lists.get('bellman');
  let isWithin = ours === undefined || isFast(ours);
  if (Number(values.seconds) > 0) {
    const { sent, answered } = await load(serviceAddress, Number(values.rate), Number(values.seconds));
    isWithin &&= answered >= leastAnswered * sent;
  }
  if (!isWithin) console.log('OVER a bound');
  process.exit(isWithin ? 0 : 1);
}

async function main(): Promise<void> {
  for (const family of [4, 6] as const)
    for (const addresses of [10, 10_000]) {
      const { ns, octets } = answerCost(family, addresses);
      console.log(
        `${family === 4 ? 'ARP' : 'NDP'} answer with ${addresses} addresses: ${ns.toFixed(0)} ns, ${octets.toFixed(1)} octets of heap`,
      );
    }
  const node = await NetworkNamespace.create('node');
  const client = await NetworkNamespace.create('client');
  await cable(
    { namespace: node, interface: 'eth0', mac: '02:00:00:00:00:01', addresses: [`${kernelAddress}/24`] },
    { namespace: client, interface: 'eth0', mac: '02:00:00:00:00:03', addresses: ['192.0.2.3/24'] },
  );
  const responder = await NeighbourHost.start(node);
  await responder.ask({ do: 'add', addresses: [serviceAddress] });
  const args = ['--asker', ...process.argv.slice(2)];
  const asker = client.spawn(process.execPath, [fileURLToPath(import.meta.url), ...args], {
    stdio: 'inherit',
  });
  const code = await new Promise((resolve) => asker.on('exit', resolve));
  const requests = await responder.metric(`bellman_layer2_requests_received{ip="${serviceAddress}"}`);
  const responses = await responder.metric(`bellman_layer2_responses_sent{ip="${serviceAddress}"}`);
  console.log(`responder: ${requests} requests received, ${responses} responses sent`);
  await responder.stop();
  process.exitCode = code === 0 ? 0 : 1;
}

await (values.asker ? ask() : main());
