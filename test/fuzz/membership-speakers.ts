/**
 * Fuzzes the membership and ownership machines of three speakers with packets of a compromised node, which has the keys. The packets make
 * false statements about members, about names that Kubernetes does not list, and about the owners of addresses.
 *
 * No packet raises an exception. Everything that the machines send can be encoded. A packet causes at most 128 packets at once, and the names
 * that the packets invent take little memory and cause few log lines.
 */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import type { Claim } from '../../src/layer2/ownership/claim.ts';
import { ClaimPayloads, payloadOf } from '../../src/layer2/ownership/claim-payloads.ts';
import { ClaimStore } from '../../src/layer2/ownership/claim-store.ts';
import { decodePacket, encodePacket } from '../../src/membership/codec.ts';
import type { MemberUpdate, Packet, Update } from '../../src/membership/packet.ts';
import { addressOf, MemorySpeakers } from '../support/memory-speakers.ts';
import { nextPacket } from './membership-packets.ts';
import type { Random } from './random.ts';
import type { FuzzTarget } from './target.ts';

const victim = 'node-0';
const addressCount = 4;
const maxSteps = 12;
const states = ['alive', 'suspect', 'dead', 'left'] as const;
/** The first step of an answer to a digest has up to 64 packets. The limit is twice that. */
const maxPacketsPerPacket = 128;
const maxPacketOctets = 4096;
const maxUnlisted = 32;
const maxLines = 100;
const maxLineOctets = 1024;
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const payloads = new ClaimPayloads(new ClaimStore());

export const membershipSpeakers: FuzzTarget = {
  name: 'membership-speakers',
  weight: 1,
  budget: { cpuMs: 60, heapOctets: 32 * 1024 * 1024 },
  expectedVerdicts: ['kept the members', 'lost a member'],
  run(random, meter) {
    const lines: string[] = [];
    const logger = pino({ base: null }, { write: (line) => void lines.push(line) });
    const speakers = new MemorySpeakers({
      ...{ nodes: 3, seed: random.uint32(), addresses: addressCount, logger },
    });
    const { net } = speakers;
    net.run(3000);
    const forward = net.onChanges;
    let sent = 0;
    net.onChanges = (name, changes) => {
      for (const { packet } of changes.packets) {
        const { length } = encodePacket(packet);
        assert.ok(length <= maxPacketOctets, `a packet has ${length} octets`);
      }
      if (name === victim) sent += changes.packets.length;
      forward(name, changes);
    };
    for (let left = 1 + random.below(maxSteps); left > 0; left--) {
      const read = decodePacket(encodePacket(hostilePacket(random)), {
        ...{ payloads, epochMs: net.now, readsBranches: true },
      });
      if (read.ok) {
        sent = 0;
        const source = {
          host: random.pick(['node-1', 'node-2', '198.51.100.9']),
          port: random.pick([1, 7946]),
        };
        meter.measure(() => net.do(victim, (machine, now) => machine.receive(read.value, source, now)));
        assert.ok(sent <= maxPacketsPerPacket, `a packet causes ${sent} packets`);
      }
      meter.measure(() => net.run(random.pick([0, 1, 50, 500, 2000])));
    }
    const members = [...(net.machine(victim)?.members() ?? [])];
    const unlisted = members.filter(({ name }) => !net.names.includes(name));
    assert.ok(unlisted.length <= maxUnlisted + maxSteps, `${unlisted.length} invented members`);
    assert.ok(lines.length <= maxLines, `${lines.length} lines of log`);
    for (const line of lines) {
      assert.ok(line.length <= maxLineOctets, `a log line has ${line.length} octets`);
      for (const value of Object.values(JSON.parse(line) as object))
        assert.ok(typeof value !== 'string' || !unprintable.test(value), line);
    }
    return net.losses.length === 0 ? 'kept the members' : 'lost a member';
  },
};

/** A packet that says anything, in the name of a member or of a stranger. */
function hostilePacket(random: Random): Packet {
  const packet = nextPacket(random);
  const count = random.pick([0, 1, 2, 20]);
  return {
    ...packet,
    from: random.pick(['node-1', 'node-1', 'node-2', victim, 'stranger', packet.from]),
    incarnation: random.pick([1, 1000, packet.incarnation]),
    updates: Array.from({ length: count }, () =>
      random.oneIn(2) ? claimUpdate(random) : memberUpdate(random),
    ),
  };
}

function memberUpdate(random: Random): MemberUpdate {
  return {
    kind: 'member',
    name: random.pick([victim, 'node-1', 'node-2', `invented-${random.below(1000)}`, 'x\u009b']),
    state: random.pick(states),
    incarnation: random.pick([0, 1, 500, 5000, 86_400_000, 2 ** 46]),
    endpoint: { host: random.pick(['192.0.2.1', 'fe80::1%eth0', '']), port: 7946 },
    metadata: random.pick(['', 'ready', 'starting leaving', 'x'.repeat(1000)]),
  };
}

function claimUpdate(random: Random): Update {
  const claim: Claim = {
    address: random.pick([addressOf(random.below(addressCount)), addressOf(200), 'no address', '']),
    owner: random.pick(['', victim, 'node-1', 'node-2', 'stranger', 'x'.repeat(253)]),
    epoch: random.pick([0, 1, 2, 3, 2 ** 46, 2 ** 47, 2 ** 48 - 1]),
    from: random.pick(['', victim, 'node-1', 'stranger']),
    observedVersion: random.pick([0, 1, 2, 2 ** 47]),
    inConflict: random.oneIn(4),
  };
  return payloadOf(claim);
}
