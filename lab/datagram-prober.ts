/**
 * A client that sends a datagram to UDP port 80 at an interval, to one address after another, and counts the echoes. It sends from several ports
 * in turn, because a router with several next hops chooses one of them for each pair of ports. On SIGTERM or SIGINT it sends no more, waits for the
 * echoes in transit, and prints JSON: for each address, the number of datagrams sent and answered, and the longest time without an answer.
 *   node lab/datagram-prober.ts [--new-flows] INTERVAL_MS ADDRESS…
 * With `--new-flows`, each datagram comes from a port of its own. Each datagram is then a new flow, for which kube-proxy chooses an endpoint.
 */
import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/** Longest time to wait for the last echoes. */
const graceMs = 3000;
/** Largest number of datagrams that are sent each time the timer fires. */
const maxBurst = 50;
const { values, positionals } = parseArgs({
  options: { 'new-flows': { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [interval = '', ...addresses] = positionals;
const intervalMs = Number(interval);
const counts = addresses.map((address) => ({ address, asked: 0, answered: 0, lastAt: 0, longestGapMs: 0 }));
/**
 * New flows use these ports one after another. A prober sends at most one datagram a millisecond, so it uses a port again after 40 s at the
 * earliest. By then every node has forgotten the old flow of that port, because a node forgets a flow after 30 s.
 */
const firstPort = 20_000;
const flowCount = 40_000;
/** The clock chooses the port of the first flow, so that a prober does not use the ports that an earlier prober has just used. */
const firstFlow = Date.now() % flowCount;
/** A prime, so that each address gets datagrams from each port, unless the number of addresses is a multiple of 31. */
const portCount = 31;
const sockets = { udp4: listOf('udp4'), udp6: listOf('udp6') };
let sent = 0;

function listOf(type: 'udp4' | 'udp6'): Socket[] {
  return values['new-flows'] ? [] : Array.from({ length: portCount }, () => receiving(createSocket(type)));
}

function receiving(socket: Socket): Socket {
  return socket.on('message', receive).on('error', () => {});
}

/** The socket of the next datagram to an address. */
function nextSocket(address: string): Socket {
  const type = address.includes(':') ? 'udp6' : 'udp4';
  const shared = sockets[type][sent % portCount];
  if (shared) return shared;
  const socket = receiving(createSocket(type));
  socket.bind(firstPort + ((firstFlow + sent) % flowCount));
  setTimeout(() => socket.close(), graceMs);
  return socket;
}

function receive(datagram: Buffer): void {
  const count = counts[datagram.readUInt32BE(0)];
  if (!count) return;
  const now = performance.now();
  count.answered++;
  count.longestGapMs = Math.max(count.longestGapMs, now - count.lastAt);
  count.lastAt = now;
}
function send(): void {
  const index = sent++ % counts.length;
  const count = counts[index];
  if (!count) return;
  count.asked++;
  const datagram = Buffer.alloc(8);
  datagram.writeUInt32BE(index, 0);
  datagram.writeUInt32BE(sent, 4);
  nextSocket(count.address).send(datagram, 80, count.address, () => {});
}

const beganAt = performance.now();
for (const count of counts) count.lastAt = beganAt;
const sending = setInterval(() => {
  // When the timer fires late, this sends the datagrams that are due. The limit leaves a busy machine time to receive echoes.
  for (let left = maxBurst; left > 0 && sent * intervalMs < performance.now() - beganAt; left--) send();
}, intervalMs);

const inTransit = () => counts.some(({ asked, answered }) => answered < asked);

async function report(): Promise<void> {
  clearInterval(sending);
  const endedAt = performance.now();
  while (inTransit() && performance.now() < endedAt + graceMs) await sleep(10);
  const result = counts.map(({ address, asked, answered, lastAt, longestGapMs }) => ({
    address,
    asked,
    answered,
    longestGapMs: Math.round(Math.max(longestGapMs, endedAt - lastAt)),
  }));
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, report);
process.stdout.write('ready\n');
