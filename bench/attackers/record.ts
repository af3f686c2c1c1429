/**
 * Prints membership datagrams that a host receives, as JSON lines `{"source", "hex"}`.
 *   node record.ts INTERFACE COUNT
 */
import { systemClock } from '../../src/clock.ts';
import { openCapture } from '../../src/link/capture.ts';

const [interfaceName = '', count = '50'] = process.argv.slice(2);
let seen = 0;
openCapture({
  interface: interfaceName,
  filter: 'ip and udp dst port 7946 and inbound',
  clock: systemClock,
  onFrame: (frame, length) => {
    const bytes = Buffer.from(frame.subarray(0, length));
    // Ethernet takes 14 octets, IPv4 without options 20, and UDP 8. The source address is therefore at 26, the UDP header at 34 with its length
    // at 38, and the payload at 42.
    const payload = bytes.subarray(42, 34 + bytes.readUInt16BE(38));
    console.log(JSON.stringify({ source: bytes.subarray(26, 30).join('.'), hex: payload.toString('hex') }));
    if (++seen === Number(count)) process.exit();
  },
  onLost: (reason) => {
    throw new Error(reason);
  },
});
// Keeps the process alive until enough datagrams have come. The capture alone does not keep it alive.
setInterval(() => {}, 1000);
