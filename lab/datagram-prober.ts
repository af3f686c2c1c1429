/**
 * A client that sends a datagram to UDP port 80 every millisecond, to one address after another, and counts the echoes. On SIGTERM or
 * SIGINT it prints JSON: for each address, the number of datagrams sent and answered, and the longest time without an answer.
 *   node lab/datagram-prober.ts ADDRESS…
 */
import { createSocket } from 'node:dgram';

/** Time to wait for the last answers at the end. */
const graceMs = 300;
const addresses = process.argv.slice(2);
const counts = addresses.map((address) => ({ address, asked: 0, answered: 0, lastAt: 0, longestGapMs: 0 }));
const socket = createSocket('udp4');
let sent = 0;

socket.on('message', (datagram) => {
  const count = counts[datagram.readUInt32BE(0)];
  if (!count) return;
  const now = performance.now();
  count.answered++;
  count.longestGapMs = Math.max(count.longestGapMs, now - count.lastAt);
  count.lastAt = now;
});
socket.on('error', () => {});

function send(): void {
  const index = sent++ % counts.length;
  const count = counts[index];
  if (!count) return;
  count.asked++;
  const datagram = Buffer.alloc(8);
  datagram.writeUInt32BE(index, 0);
  datagram.writeUInt32BE(sent, 4);
  socket.send(datagram, 80, count.address, () => {});
}

const beganAt = performance.now();
for (const count of counts) count.lastAt = beganAt;
const sending = setInterval(() => {
  // When the timer fires late, this sends all datagrams that are due.
  while (sent < performance.now() - beganAt) send();
}, 1);
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => {
    clearInterval(sending);
    setTimeout(() => {
      const endedAt = performance.now() - graceMs;
      const result = counts.map(({ address, asked, answered, lastAt, longestGapMs }) => ({
        address,
        asked,
        answered,
        longestGapMs: Math.round(Math.max(longestGapMs, endedAt - lastAt)),
      }));
      process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
    }, graceMs);
  });
process.stdout.write('ready\n');
