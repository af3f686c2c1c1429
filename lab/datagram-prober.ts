/**
 * A client that sends a datagram to UDP port 80 at an interval, to one address after another, and counts the echoes. It sends from one of several
 * ports after another, because a router with several next hops chooses one for each pair of ports. On SIGTERM or SIGINT it
 * sends no more, waits for the echoes in transit, and prints JSON: for each address, the number of datagrams sent and answered, and the longest
 * time without an answer.
 *   node lab/datagram-prober.ts INTERVAL_MS ADDRESS…
 */
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';

/** Longest time to wait for the last echoes. */
const graceMs = 3000;
/** Most datagrams that one timer sends. */
const maxBurst = 50;
const [interval = '', ...addresses] = process.argv.slice(2);
const intervalMs = Number(interval);
const counts = addresses.map((address) => ({ address, asked: 0, answered: 0, lastAt: 0, longestGapMs: 0 }));
/** A prime, so that each address gets datagrams from each port. */
const sockets = Array.from({ length: 31 }, () => createSocket('udp4'));
let sent = 0;

function receive(datagram: Buffer): void {
  const count = counts[datagram.readUInt32BE(0)];
  if (!count) return;
  const now = performance.now();
  count.answered++;
  count.longestGapMs = Math.max(count.longestGapMs, now - count.lastAt);
  count.lastAt = now;
}
for (const socket of sockets) socket.on('message', receive).on('error', () => {});

function send(): void {
  const index = sent++ % counts.length;
  const count = counts[index];
  if (!count) return;
  count.asked++;
  const datagram = Buffer.alloc(8);
  datagram.writeUInt32BE(index, 0);
  datagram.writeUInt32BE(sent, 4);
  sockets[sent % sockets.length]?.send(datagram, 80, count.address, () => {});
}

const beganAt = performance.now();
for (const count of counts) count.lastAt = beganAt;
const sending = setInterval(() => {
  // When the timer fires late, this sends the datagrams that are due. A machine that is too busy to send them in time must still receive.
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
