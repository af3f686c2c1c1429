/**
 * Sends an ARP request with an 802.1Q tag and prints the number of replies to it within a second.
 *   node send-tagged.ts INTERFACE MAC ADDRESS VLAN
 */
import { arpFrameLength, encodeArp } from '../../src/arp/packet.ts';
import { systemClock } from '../../src/clock.ts';
import { openCapture } from '../../src/link/capture.ts';
import { broadcastMac } from '../../src/link/frame.ts';
import { ip } from './addresses.ts';
import { mac as macFrom, tagged } from './neighbour-frames.ts';

const [interfaceName = '', macText = '', target = '', vlan = '0'] = process.argv.slice(2);
const mac = macFrom(macText);
let replies = 0;
const capture = openCapture({
  interface: interfaceName,
  filter: `ether dst ${macText} and arp[6:2] = 2`,
  clock: systemClock,
  onFrame: (_frame, length) => {
    if (length >= arpFrameLength) replies++;
  },
  onLost: (reason) => {
    throw new Error(reason);
  },
});
const request = encodeArp({
  destination: broadcastMac,
  operation: 'request',
  senderMac: mac,
  senderIp: ip('192.0.2.3'),
  targetIp: ip(target),
});
capture.send(tagged(request, Number(vlan)));
setTimeout(() => {
  console.log(replies);
  capture.close();
}, 1000);
