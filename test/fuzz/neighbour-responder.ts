/**
 * Fuzzes the responder with frames of a segment. Each frame takes the whole way, from the capture through the judgement to answers, defence,
 * conflict reports, log and metrics. The frames are ARP and Neighbour Discovery frames of Linux, most of them mutated, and some claim an
 * address of the node.
 *
 * No frame raises an exception. The responder sends at most four frames at once for a frame that it receives, and only from the node's own
 * MAC address. A flood of claims, each by a new host, causes only a few log lines.
 */
import assert from 'node:assert/strict';
import { etherType, readUint16 } from '../../src/link/frame.ts';
import { icmpType } from '../../src/ndp/packet.ts';
import { ip } from '../support/addresses.ts';
import { eth0, MemoryHost } from '../support/memory-host.ts';
import { captured, frame, hex, tagged, withChecksum } from '../support/neighbour-frames.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';
import type { FuzzTarget } from './target.ts';

const frames = Object.values(captured).map(frame);
/** Frames that claim an address of the node when a new host sends them. */
const claims = [captured.arpGratuitousRequest, captured.solicitation, captured.advertisement].map(frame);
const owned = ['192.0.2.1', '192.0.2.2', '2001:db8::a', '2001:db8::b'];
const maxFrames = 20;
/** A frame causes one answer, or one announcement, which is two frames: a request and a reply. The limit is twice an announcement. */
const maxSentPerFrame = 4;
/** Lines of log of a flood that claims one address, and of frames that claim any of the owned addresses. */
const maxLines = { flood: 8, mixed: 2 + 3 * owned.length };
const sourceMacAt = 6;
const arpSenderMacAt = 22;
const icmpTypeAt = 54;
/** The first option of a Neighbour Discovery message. It begins with its type and its length. */
const optionAt = 78;
const linkLayerOptions = [1, 2];
const ownMac = hex(eth0.mac);

export const neighbourResponder: FuzzTarget = {
  name: 'neighbour-responder',
  weight: 4,
  budget: { cpuMs: 20, heapOctets: 8 * 1024 * 1024 },
  expectedVerdicts: ['answered', 'IPv4 conflict', 'IPv6 conflict', 'silent'],
  run(random, meter) {
    const host = new MemoryHost(random.oneIn(3) ? { defence: 'yield' } : {});
    for (const address of owned) host.responder.add(ip(address));
    host.clock.advance(20_000);
    host.takeSent();
    const flood = random.oneIn(6) ? random.pick(claims) : undefined;
    let hasAnswered = false;
    for (let left = 1 + random.below(maxFrames); left > 0; left--) {
      const octets = flood ? fromNewHost(flood, random) : nextFrame(random);
      meter.measure(() => host.hear(hex(octets), 'eth0', random.pick([0, 0, 0, 150, 5000])));
      const atOnce = host.takeSent();
      assert.ok(atOnce.length <= maxSentPerFrame, `a frame causes ${atOnce.length} frames`);
      // After a stall, the responder holds received frames back for 20 ms.
      meter.measure(() => host.clock.advance(random.pick([0, 1, 20, 1000])));
      const sent = [...atOnce, ...host.takeSent()];
      for (const each of sent)
        assert.equal(each.slice(2 * sourceMacAt, 2 * sourceMacAt + 12), ownMac, 'another source MAC');
      hasAnswered ||= sent.length > 0;
    }
    assert.deepEqual(
      host.log.filter(({ entrance }) => entrance !== undefined),
      [],
    );
    assert.ok(
      host.log.length <= (flood ? maxLines.flood : maxLines.mixed),
      `${host.log.length} lines of log`,
    );
    if (host.conflicts.some(({ address }) => address.family === 6)) return 'IPv6 conflict';
    if (host.conflicts.length > 0) return 'IPv4 conflict';
    return hasAnswered ? 'answered' : 'silent';
  },
};

function nextFrame(random: Random): Buffer {
  let octets: Buffer = Buffer.from(random.pick(frames));
  if (random.oneIn(3)) octets = fromNewHost(octets, random);
  if (random.oneIn(6)) octets = tagged(octets, random.pick([0, 1, 0xfff]));
  if (!random.oneIn(3)) octets = Buffer.from(mutate(octets, random)).subarray(0, 2048);
  return isUntaggedIpv6(octets) && random.oneIn(2) ? withChecksum(octets) : octets;
}

/**
 * The untagged frame with the MAC address of a new host: in the Ethernet header, and in the ARP packet or the link-layer option. The frame still
 * claims the same address. An advertisement now goes to the node.
 */
function fromNewHost(untagged: Buffer, random: Random): Buffer {
  const octets = Buffer.from(untagged);
  Buffer.from(random.octets(4)).copy(octets, sourceMacAt + 2);
  const copyMacTo = (at: number) => octets.copy(octets, at, sourceMacAt, sourceMacAt + 6);
  if (!isUntaggedIpv6(octets)) {
    copyMacTo(arpSenderMacAt);
    return octets;
  }
  if (linkLayerOptions.includes(octets.readUint8(optionAt))) copyMacTo(optionAt + 2);
  if (octets.readUint8(icmpTypeAt) === icmpType.advertisement) octets.set(eth0.mac, 0);
  return withChecksum(octets);
}

/** Whether the frame is untagged, is an IPv6 packet, and has the octets of an ICMPv6 checksum. */
function isUntaggedIpv6(octets: Buffer): boolean {
  return octets.length > 58 && readUint16(octets, 12) === etherType.ipv6;
}
