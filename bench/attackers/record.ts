/**
 * Prints membership datagrams that a host receives over IPv4 or IPv6, as JSON lines `{"source", "hex"}`. Fails when too few come before the deadline.
 *   node record.ts INTERFACE COUNT
 */
import { systemClock } from '../../src/clock.ts';
import { openCapture } from '../../src/link/capture.ts';
import { decodeDatagramFrame, membershipPort } from './datagram-frame.ts';

/** Members exchange several datagrams per second, so this is long even under load. */
const deadlineMs = 120_000;

const [interfaceName = '', count = '50'] = process.argv.slice(2);
let seen = 0;
openCapture({
  interface: interfaceName,
  filter: `udp dst port ${membershipPort} and inbound`,
  clock: systemClock,
  snapLength: 2048,
  onFrame: (frame, length) => {
    const { source, payload } = decodeDatagramFrame(Buffer.from(frame.subarray(0, length)));
    console.log(JSON.stringify({ source, hex: payload.toString('hex') }));
    if (++seen === Number(count)) process.exit();
  },
  onLost: (reason) => {
    throw new Error(reason);
  },
});
setTimeout(() => {
  console.error(
    `${seen} instead of ${count} membership datagrams came to ${interfaceName} in ${deadlineMs / 1000} s`,
  );
  process.exit(1);
}, deadlineMs);
