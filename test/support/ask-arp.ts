/**
 * Sends an ARP request for an address every 100 ms. Each request has a sender address of its own, so that a reply shows which request it
 * answers. Prints a JSON line for each request and for each reply, until it is killed.
 *   node ask-arp.ts INTERFACE ADDRESS
 */
import { networkInterfaces } from 'node:os';
import { type IpAddress, ipFromBytes, ipToBytes } from '../../src/address/index.ts';
import { arpField, arpFrameLength, encodeArp } from '../../src/arp/packet.ts';
import { systemClock } from '../../src/clock.ts';
import { openCapture } from '../../src/link/capture.ts';
import { broadcastMac, ethernetHeaderLength, formatMac } from '../../src/link/frame.ts';
import { ip } from './addresses.ts';
import { mac as macFrom } from './neighbour-frames.ts';

export type ArpEvent =
  | { readonly kind: 'request'; readonly id: number; readonly atMs: number }
  /** `from` is the MAC address of the host that answers. */
  | { readonly kind: 'reply'; readonly id: number; readonly from: string };

const intervalMs = 100;
const [interfaceName = '', target = ''] = process.argv.slice(2);
const macText = networkInterfaces()[interfaceName]?.[0]?.mac ?? '';
const firstSender = ip('10.99.0.1').value;

function print(event: ArpEvent): void {
  console.log(JSON.stringify(event));
}

function senderOf(id: number): IpAddress {
  return { family: 4, value: firstSender + BigInt(id) };
}

function idOf(frame: Uint8Array): number {
  const at = ethernetHeaderLength + arpField.targetIp;
  return Number((ipFromBytes(frame.subarray(at, at + 4))?.value ?? 0n) - firstSender);
}

const capture = openCapture({
  interface: interfaceName,
  filter: `ether dst ${macText} and arp[6:2] = 2 and arp[14:4] = 0x${Buffer.from(ipToBytes(ip(target))).toString('hex')}`,
  clock: systemClock,
  onFrame: (frame, length) => {
    if (length < arpFrameLength) return;
    const from = formatMac(frame, ethernetHeaderLength + arpField.senderMac);
    print({ kind: 'reply', id: idOf(frame), from });
  },
  onLost: (reason) => {
    throw new Error(reason);
  },
});
let asked = 0;
setInterval(() => {
  const id = asked++;
  print({ kind: 'request', id, atMs: Date.now() });
  capture.send(
    encodeArp({
      destination: broadcastMac,
      operation: 'request',
      senderMac: macFrom(macText),
      senderIp: senderOf(id),
      targetIp: ip(target),
    }),
  );
}, intervalMs);
