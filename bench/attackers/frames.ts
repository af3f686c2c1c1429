/**
 * Floods nodes with frames from one host of the segment.
 *   node frames.ts INTERFACE SETTINGS   (JSON, see FrameAttack)
 * Prints `ready`, floods until its time is over, then prints the number of frames sent.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { familyOfText } from '../../src/address/index.ts';
import { encodeArp } from '../../src/arp/packet.ts';
import { systemClock } from '../../src/clock.ts';
import { openCapture } from '../../src/link/capture.ts';
import { broadcastMac } from '../../src/link/frame.ts';
import { ip } from '../../test/support/addresses.ts';
import { mac } from '../../test/support/neighbour-frames.ts';
import { encodeDatagramFrame } from './datagram-frame.ts';

export interface FrameAttack {
  readonly kind: 'random' | 'forged' | 'replayed' | 'arp';
  /** MAC address of the attacker. */
  readonly from: string;
  readonly targets: readonly {
    readonly mac: string;
    readonly addresses: readonly [v4: string, v6: string];
  }[];
  /** Membership datagrams seen on the segment, in hex, with the address of their sender. */
  readonly recorded: readonly { readonly source: string; readonly hex: string }[];
  /** The address that ARP requests ask for. Without it, they ask for random addresses of the segment. */
  readonly asked?: string;
  /** Frames per second to each target. */
  readonly rate: number;
  readonly seconds: number;
}

const headerLength = 29;

/** A datagram to the target's address of the same family as `source`. */
function datagramTo(
  attack: FrameAttack,
  target: FrameAttack['targets'][number],
  source: string,
  payload: Buffer,
): Buffer {
  const destination = target.addresses[familyOfText(source) === 4 ? 0 : 1];
  return encodeDatagramFrame({ from: attack.from, to: target.mac, source, destination, payload });
}

function frameFor(attack: FrameAttack, target: FrameAttack['targets'][number]): Buffer {
  const { source = '192.0.2.66', hex = '' } =
    attack.recorded[randomInt(Math.max(1, attack.recorded.length))] ?? {};
  const seen = Buffer.from(hex, 'hex');
  switch (attack.kind) {
    case 'random':
      return datagramTo(attack, target, `192.0.2.${randomInt(60, 90)}`, randomBytes(randomInt(1, 600)));
    case 'forged':
      // The first five octets, version and key id, are copied from a real datagram. The session, the sequence and the ciphertext are random.
      return datagramTo(
        attack,
        target,
        source,
        Buffer.concat([seen.subarray(0, 5), randomBytes(headerLength + 200)]),
      );
    case 'replayed':
      return datagramTo(attack, target, source, seen);
    case 'arp':
      return encodeArp({
        destination: broadcastMac,
        operation: 'request',
        senderMac: mac(attack.from),
        senderIp: ip(`192.0.2.${randomInt(60, 90)}`),
        targetIp: ip(attack.asked ?? `192.0.2.${randomInt(1, 255)}`),
      });
  }
}

const [interfaceName = '', settings = '{}'] = process.argv.slice(2);
const attack = JSON.parse(settings) as FrameAttack;
const capture = openCapture({
  interface: interfaceName,
  filter: 'less 1',
  clock: systemClock,
  onFrame: () => {},
  onLost: (reason) => {
    throw new Error(reason);
  },
});
// The frames are made in advance, so that the flood costs the machine little more than their delivery.
const frames = Array.from({ length: 2000 }, (_, i) => {
  const target = attack.targets[i % attack.targets.length];
  if (!target) throw new Error('no target');
  return frameFor(attack, target);
});
const perSecond = attack.kind === 'arp' ? attack.rate : attack.rate * attack.targets.length;
console.log('ready');
const started = performance.now();
const end = started + attack.seconds * 1000;
let sent = 0;
let tried = 0;
while (performance.now() < end) {
  const due = ((performance.now() - started) * perSecond) / 1000;
  for (let burst = 0; tried < due && burst < 100; burst++)
    if (capture.send(frames[tried++ % frames.length] as Buffer)) sent++;
  await new Promise((resolve) => setTimeout(resolve, 1));
}
console.log(sent);
process.exit();
