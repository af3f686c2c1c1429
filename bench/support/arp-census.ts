/**
 * Asks by ARP for every address of a range, again and again, and counts the hosts that answer for each. Prints one JSON line per round,
 * until it is killed.
 *   node arp-census.ts INTERFACE FIRST COUNT PER-SECOND
 */
import { networkInterfaces } from 'node:os';
import { type IpAddress, parseIp } from '../../src/address/index.ts';
import { arpField, arpFrameLength, encodeArp } from '../../src/arp/packet.ts';
import { systemClock } from '../../src/clock.ts';
import { openCapture } from '../../src/link/capture.ts';
import { broadcastMac, ethernetHeaderLength, formatMac } from '../../src/link/frame.ts';

/** The answers to one request for each address. */
export interface CensusRound {
  /** Wall clock, at the first request and after the wait for the last answer. */
  readonly beganAtMs: number;
  readonly endedAtMs: number;
  readonly unanswered: number;
  readonly answeredByOne: number;
  readonly answeredByMore: number;
  /** The first addresses for which no host or several hosts answer, each with the MACs of the hosts that answer. */
  readonly wrong: Readonly<Record<string, readonly string[]>>;
}

const tickMs = 10;
/** How long the last requests of a round may wait for their answers. */
const patienceMs = 1000;
const maxWrong = 20;

const [interfaceName = '', firstText = '', countText = '', perSecondText = ''] = process.argv.slice(2);
const count = Number(countText);
const perTick = Math.max(1, (Number(perSecondText) * tickMs) / 1000);
const first = parseIp(firstText);
const own = networkInterfaces()[interfaceName]?.find(({ family }) => family === 'IPv4');
const ownIp = parseIp(own?.address ?? '');
if (!first || !own || !ownIp || !(count > 0))
  throw new Error('usage: arp-census.ts INTERFACE FIRST COUNT PER-SECOND');

const firstValue = Number(first.value);
const addressAt = (i: number): IpAddress => ({ family: 4, value: first.value + BigInt(i) });
const textAt = (i: number) => {
  const value = firstValue + i;
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
};

const ownMac = Uint8Array.from(own.mac.split(':'), (octet) => Number.parseInt(octet, 16));

let answers: Set<string>[] = [];
const capture = openCapture({
  interface: interfaceName,
  filter: `ether dst ${own.mac} and arp[6:2] = 2`,
  clock: systemClock,
  onFrame: (frame, length) => {
    if (length < arpFrameLength) return;
    const view = Buffer.from(frame.buffer, frame.byteOffset, length);
    const index = view.readUInt32BE(ethernetHeaderLength + arpField.senderIp) - firstValue;
    answers[index]?.add(formatMac(frame, ethernetHeaderLength + arpField.senderMac));
  },
  onLost: (reason) => {
    throw new Error(reason);
  },
});

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function round(senderIp: IpAddress, senderMac: Uint8Array): Promise<CensusRound> {
  answers = Array.from({ length: count }, () => new Set());
  const beganAtMs = Date.now();
  for (let asked = 0; asked < count; await pause(tickMs))
    for (const end = Math.min(count, asked + perTick); asked < end; asked++)
      capture.send(
        encodeArp({
          destination: broadcastMac,
          operation: 'request',
          senderMac,
          senderIp,
          targetIp: addressAt(asked),
        }),
      );
  await pause(patienceMs);
  const wrong: Record<string, readonly string[]> = {};
  for (const [i, macs] of answers.entries())
    if (macs.size !== 1 && Object.keys(wrong).length < maxWrong) wrong[textAt(i)] = [...macs];
  return {
    beganAtMs,
    endedAtMs: Date.now(),
    unanswered: answers.filter((macs) => macs.size === 0).length,
    answeredByOne: answers.filter((macs) => macs.size === 1).length,
    answeredByMore: answers.filter((macs) => macs.size > 1).length,
    wrong,
  };
}

for (;;) console.log(JSON.stringify(await round(ownIp, ownMac)));
