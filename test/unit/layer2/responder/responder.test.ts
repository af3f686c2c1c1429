import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parsePrefix } from '../../../../src/address/index.ts';
import type { Link } from '../../../../src/link/link-table.ts';
import { ip } from '../../../support/addresses.ts';
import { eth0, MemoryHost } from '../../../support/memory-host.ts';
import { memoryLogger } from '../../../support/memory-logger.ts';
import { captured, frame, hex, mac as macFrom } from '../../../support/neighbour-frames.ts';

const eth1: Link = {
  ...eth0,
  index: 3,
  name: 'eth1',
  subnets: [parsePrefix('198.51.100.0/24') ?? assert.fail()],
};

test('NeighbourResponder announces on its schedule as ARP request and ARP reply, and answers requests at once', () => {
  const host = new MemoryHost();
  host.responder.add(ip('192.0.2.1'));
  assert.deepEqual(
    host.sent.map(({ hex: sent }) => sent.slice(40, 44)),
    ['0001', '0002'],
  );
  host.sent.length = 0;
  host.hear(captured.arpRequest);
  assert.deepEqual(
    host.sent.splice(0).map(({ hex: sent }) => sent),
    [captured.arpReply],
  );
  host.clock.advance(60_000);
  assert.deepEqual(host.times(), [50, 200, 500, 1000, 2000, 4000]);
});

test('NeighbourResponder answers waiting frames when captures are drained, at most once a millisecond', () => {
  const host = new MemoryHost();
  host.responder.add(ip('192.0.2.1'));
  host.clock.advance(10);
  host.sent.length = 0;
  host.waiting.push(captured.arpRequest);
  host.responder.drainCaptures();
  assert.deepEqual(
    host.sent.splice(0).map(({ hex: sent }) => sent),
    [captured.arpReply],
  );
  host.waiting.push(captured.arpRequest);
  host.responder.drainCaptures();
  assert.equal(host.sent.length, 0);
  host.clock.advance(1);
  host.responder.drainCaptures();
  assert.equal(host.sent.length, 1);
});

test('NeighbourResponder answers while it announces many addresses', () => {
  const host = new MemoryHost({
    announcements: { offsetsMs: [5], refreshMs: 0, perSecond: 1e6, burst: 1e6 },
  });
  for (const i of [1, 100, 101, 102, 103]) host.responder.add(ip(`192.0.2.${i}`));
  host.sent.length = 0;
  host.waiting.push(captured.arpRequest);
  host.clock.advance(5);
  const reply = host.sent.findIndex(({ hex: sent }) => sent === captured.arpReply);
  assert.ok(reply >= 0 && reply < host.sent.length - 1, `reply at ${reply} of ${host.sent.length}`);
});

test('NeighbourResponder joins the solicited-node group of an address, and leaves the group and stops answering when the address is removed', () => {
  const host = new MemoryHost();
  host.responder.add(ip('2001:db8::a'));
  assert.deepEqual([...host.groups], ['2 ff0200000000000000000001ff00000a']);
  host.sent.length = 0;
  host.hear(captured.solicitation);
  assert.equal(host.sent.length, 1);
  host.responder.remove(ip('2001:db8::a'));
  host.sent.length = 0;
  host.hear(captured.solicitation);
  host.clock.advance(10_000);
  assert.deepEqual(host.sent, []);
  assert.equal(host.groups.size, 0);
  assert.equal(host.captures.size, 0, 'a link without addresses is not captured');
});

test('NeighbourResponder checks ownership before each announcement', () => {
  const host = new MemoryHost();
  host.responder.add(ip('192.0.2.1'));
  host.clock.advance(100);
  host.times();
  host.owned = false;
  host.clock.advance(10_000);
  assert.deepEqual(host.times(), []);
});

test('NeighbourResponder answers on the links with the subnet of the address, or on the named links', () => {
  const host = new MemoryHost();
  host.links = [eth0, eth1];
  host.responder.add(ip('192.0.2.1'));
  assert.deepEqual([...host.captures.keys()], ['eth0']);
  assert.deepEqual(host.responder.carriers(ip('192.0.2.1'), ['eth1']), ['eth1']);
  host.responder.add(ip('192.0.2.1'), ['eth1']);
  assert.deepEqual([...host.captures.keys()], ['eth1']);
  assert.deepEqual(host.responder.carriers(ip('203.0.113.1')), []);
  host.responder.add(ip('203.0.113.1'));
  assert.deepEqual([...host.captures.keys()], ['eth1']);
});

test('NeighbourResponder reopens a link and announces again after the link was down or got a new index or subnet', () => {
  const host = new MemoryHost();
  host.responder.add(ip('192.0.2.1'));
  host.clock.advance(10_000);
  host.times();
  for (const [name, links] of [
    ['down and up, reported as one change', [{ ...eth0, epoch: 1 }]],
    ['down', []],
    ['up', [{ ...eth0, epoch: 2 }]],
    ['recreated', [{ ...eth0, index: 9, epoch: 0 }]],
    ['subnet gone', [{ ...eth0, index: 9, subnets: [] }]],
    ['subnet back', [{ ...eth0, index: 9 }]],
  ] as const) {
    host.setLinks(...links);
    const carriesNow = links.some(({ subnets }) => subnets.length > 0);
    assert.equal(host.times().length, carriesNow ? 1 : 0, name);
    assert.equal(host.captures.size, carriesNow ? 1 : 0, name);
  }
  assert.equal(host.opened, 5);
  host.setLinks({ ...eth0, index: 9 }, { ...eth1, name: 'veth1', subnets: [] });
  assert.equal(host.opened, 5, "a pod's link is not opened");
});

test('NeighbourResponder retries when a capture cannot be opened or is lost', async () => {
  const host = new MemoryHost();
  host.failsToOpen = true;
  host.responder.add(ip('192.0.2.1'));
  host.failsToOpen = false;
  host.clock.advance(600);
  assert.equal(host.opened, 1);
  host.captures.get('eth0')?.onLost('deaf');
  host.clock.advance(600);
  assert.equal(host.opened, 2);
  assert.match(await host.registry.metrics(), /^bellman_layer2_captures_lost_total 1$/m);
});

test('NeighbourResponder retries a link that cannot be captured: twice a second and after a change, however many addresses it has', () => {
  let attempts = 0;
  const host = new MemoryHost({
    openCapture: () => {
      attempts++;
      throw new Error('No such device');
    },
  });
  for (let i = 1; i <= 20; i++) host.responder.add(ip(`192.0.2.${i}`));
  assert.equal(attempts, 1);
  host.clock.advance(499);
  assert.equal(attempts, 1);
  host.clock.advance(1001);
  assert.equal(attempts, 4);
  host.setLinks({ ...eth0, epoch: 1 });
  assert.equal(attempts, 5);
  host.setLinks();
  host.setLinks({ ...eth0, epoch: 2 });
  assert.equal(attempts, 6);
  host.clock.advance(500);
  assert.equal(attempts, 7);
});

test('NeighbourResponder defends against a conflict and reports it, both at a limited rate', () => {
  const host = new MemoryHost();
  host.responder.add(ip('192.0.2.2'));
  host.clock.advance(10_000);
  host.times();
  for (let i = 0; i < 5; i++) host.hear(captured.arpGratuitousReply);
  assert.equal(host.sent.length, 2, 'one announcement, which is a request and a reply');
  assert.deepEqual(host.conflicts, [
    {
      address: ip('192.0.2.2'),
      mac: '02:00:00:00:00:0b',
      interface: 'eth0',
      action: 'defended',
      isSpeaker: false,
    },
  ]);
});

test('NeighbourResponder yields under the policy `yield`, and reports a conflict with another speaker without defending the address', () => {
  const yielding = new MemoryHost({ defence: 'yield' });
  yielding.responder.add(ip('192.0.2.2'));
  yielding.hear(captured.arpGratuitousReply);
  assert.equal(yielding.conflicts[0]?.action, 'yielded');
  assert.equal(yielding.captures.size, 0);

  const host = new MemoryHost();
  host.responder.setSpeakerMacs(new Set(['02:00:00:00:00:0b']));
  host.responder.add(ip('192.0.2.2'));
  host.clock.advance(10_000);
  host.times();
  host.hear(captured.arpGratuitousReply);
  assert.deepEqual(host.times(), []);
  assert.deepEqual(
    host.conflicts.map(({ action, isSpeaker }) => [action, isSpeaker]),
    [['waiting', true]],
  );
});

test('NeighbourResponder warns of a conflict with a foreign host, and logs a conflict with another speaker only at level debug', () => {
  for (const [speakers, expected] of [
    [[], ['warn', 'address conflict: another host uses an address of this node']],
    [['02:00:00:00:00:0b'], ['debug', 'the host of another speaker uses an address of this node']],
  ] as const) {
    const { logger, lines } = memoryLogger();
    const host = new MemoryHost({ log: logger });
    host.responder.setSpeakerMacs(new Set(speakers));
    host.responder.add(ip('192.0.2.2'));
    host.hear(captured.arpGratuitousReply);
    assert.deepEqual(
      lines.filter(({ ip: address }) => address === '192.0.2.2').map(({ level, msg }) => [level, msg]),
      [expected],
    );
  }
});

test('NeighbourResponder probes three times at intervals of 100 ms before it calls an address free', async () => {
  const host = new MemoryHost();
  const outcome = host.responder.probe(ip('192.0.2.1'));
  host.clock.advance(300);
  assert.deepEqual(await outcome, { kind: 'free' });
  assert.deepEqual(host.times(), [0, 100, 200]);
  assert.equal(host.captures.size, 0);
});

test('NeighbourResponder stops probing at the first conflict, in either family', async () => {
  const host = new MemoryHost();
  for (const [address, packet, mac] of [
    ['192.0.2.2', captured.arpGratuitousReply, '02:00:00:00:00:0b'],
    ['2001:db8::b', captured.duplicateAddressProbe, '02:00:00:00:00:0b'],
  ] as const) {
    const outcome = host.responder.probe(ip(address));
    host.clock.advance(50);
    host.hear(packet);
    assert.deepEqual(await outcome, { kind: 'in-use', mac, interface: 'eth0' });
  }
});

test('NeighbourResponder calls an address free only after three probes were sent, although the capture cannot be opened, or cannot send, at first', async () => {
  for (const fault of ['failsToOpen', 'failsToSend'] as const) {
    const host = new MemoryHost();
    host[fault] = true;
    const outcome = host.responder.probe(ip('192.0.2.2'));
    host.clock.advance(400);
    host[fault] = false;
    host.clock.advance(1000);
    assert.deepEqual(await outcome, { kind: 'free' }, fault);
    assert.equal(host.times().length, 3, fault);
  }
});

test('NeighbourResponder resolves a probe that cannot be sent to `no-link` after two seconds', async () => {
  for (const fault of ['failsToOpen', 'failsToSend'] as const) {
    const host = new MemoryHost();
    host[fault] = true;
    let isOver = false;
    const outcome = host.responder.probe(ip('192.0.2.2')).finally(() => {
      isOver = true;
    });
    host.clock.advance(1900);
    await Promise.resolve();
    assert.ok(!isOver, fault);
    host.clock.advance(200);
    assert.deepEqual(await outcome, { kind: 'no-link' }, fault);
  }
});

test('NeighbourResponder sees no conflict in a frame of another link of its own host', async () => {
  for (const packet of [captured.arpGratuitousReply, captured.arpProbe, captured.duplicateAddressProbe]) {
    const host = new MemoryHost({ defence: 'yield' });
    host.links = [eth0, { ...eth0, index: 3, name: 'eth1', mac: macFrom('02:00:00:00:00:0b') }];
    const addresses = [ip('192.0.2.1'), ip('192.0.2.2'), ip('2001:db8::b')];
    const outcomes = addresses.map((address) => host.responder.probe(address));
    host.clock.advance(50);
    host.hear(packet);
    host.clock.advance(1000);
    for (const outcome of outcomes) assert.deepEqual(await outcome, { kind: 'free' });
    for (const address of addresses) host.responder.add(address);
    host.hear(packet);
    assert.deepEqual(host.conflicts, []);
    assert.deepEqual(
      [...host.responder.counts()].map(({ conflicts }) => conflicts),
      [0, 0, 0],
    );
  }
});

test('NeighbourResponder moves an address on trial to the links that its pool names now', () => {
  const host = new MemoryHost();
  host.links = [eth0, eth1];
  const address = ip('192.0.2.1');
  host.responder.setTrials([{ address, interfaces: [] }]);
  assert.deepEqual([...host.captures.keys()], ['eth0']);
  host.responder.setTrials([{ address, interfaces: ['eth1'] }]);
  assert.deepEqual([...host.captures.keys()], ['eth1']);
  void host.responder.probe(address, ['eth0']);
  assert.deepEqual([...host.captures.keys()], ['eth0']);
});

test('NeighbourResponder calls onHostChanged after each change of the host, and onLinksChanged after a change of the links that can answer', () => {
  const calls: string[] = [];
  const host = new MemoryHost({
    onHostChanged: () => calls.push('host'),
    onLinksChanged: () => calls.push('links'),
  });
  host.setLinks(eth0);
  assert.deepEqual(calls.splice(0), ['host']);
  host.setLinks(eth0, eth1);
  assert.deepEqual(calls.splice(0).sort(), ['host', 'links']);
});

test('NeighbourResponder joins a solicited-node group that was refused as soon as the system allows it', () => {
  const host = new MemoryHost();
  host.refusesGroups = true;
  for (const text of ['2001:db8::a', '2001:db8::b', '2001:db8::c']) host.responder.add(ip(text));
  host.clock.advance(5000);
  assert.equal(host.groups.size, 0);
  host.responder.remove(ip('2001:db8::b'));
  host.refusesGroups = false;
  host.clock.advance(500);
  assert.deepEqual([...host.groups].sort(), [
    '2 ff0200000000000000000001ff00000a',
    '2 ff0200000000000000000001ff00000c',
  ]);
  host.responder.remove(ip('2001:db8::a'));
  assert.equal(host.groups.size, 1);
});

test('NeighbourResponder resolves a probe to `no-link` when no link carries the address', async () => {
  const host = new MemoryHost();
  const outcome = host.responder.probe(ip('203.0.113.1'));
  host.clock.advance(500);
  assert.deepEqual(await outcome, { kind: 'no-link' });
});

test('NeighbourResponder keeps answering an address that was added during a probe', async () => {
  const host = new MemoryHost();
  const outcome = host.responder.probe(ip('192.0.2.1'));
  host.clock.advance(50);
  host.responder.add(ip('192.0.2.1'));
  host.clock.advance(500);
  await outcome;
  host.sent.length = 0;
  host.hear(captured.arpRequest);
  assert.equal(host.sent.length, 1);
});

test('NeighbourResponder counts packets by address, and dropped packets by reason', async () => {
  const host = new MemoryHost();
  host.responder.add(ip('192.0.2.1'));
  host.hear(captured.arpRequest);
  host.hear(captured.arpGratuitousRequest);
  host.hear(captured.solicitation);
  const text = await host.registry.metrics();
  for (const line of [
    'bellman_layer2_requests_received{ip="192.0.2.1"} 1',
    'bellman_layer2_responses_sent{ip="192.0.2.1"} 1',
    'bellman_layer2_gratuitous_sent{ip="192.0.2.1"} 2',
    'bellman_layer2_requests_dropped_total{protocol="arp",reason="unknown-address"} 1',
    'bellman_layer2_requests_dropped_total{protocol="ndp",reason="unknown-address"} 1',
    'bellman_layer2_links 1',
  ])
    assert.ok(text.includes(`\n${line}\n`) || text.endsWith(`\n${line}\n`), line);
});

test('NeighbourResponder exports 0 late requests from its start, because Prometheus computes an increase from two samples', async () => {
  const text = await new MemoryHost().registry.metrics();
  for (const protocol of ['arp', 'ndp'])
    assert.ok(
      text.includes(`\nbellman_layer2_requests_dropped_total{protocol="${protocol}",reason="late"} 0\n`),
      text,
    );
});

test('NeighbourResponder loses only the frame that raises an exception', () => {
  const host = new MemoryHost();
  host.responder.add(ip('192.0.2.1'));
  host.takeSent();
  host.isBroken = true;
  host.hear(captured.arpRequest);
  host.hear(captured.arpRequest);
  host.isBroken = false;
  host.hear(captured.arpRequest);
  assert.deepEqual(host.takeSent(), [captured.arpReply]);
  assert.equal(host.log.filter(({ entrance }) => entrance === 'frame').length, 1, 'logged once');
});

test('NeighbourResponder survives random, changed and truncated frames, and reports no exception', () => {
  const host = new MemoryHost();
  for (const address of ['192.0.2.1', '192.0.2.2', '2001:db8::a', '2001:db8::b'])
    host.responder.add(ip(address));
  const known = fc
    .record({
      hex: fc.constantFrom(...Object.values(captured)),
      at: fc.nat(90),
      octet: fc.nat(255),
      length: fc.nat(120),
    })
    .map(({ hex: text, at, octet, length }) => {
      const bytes = frame(text);
      bytes[at] = octet;
      return bytes.subarray(0, length).toString('hex');
    });
  const random = fc.uint8Array({ maxLength: 512, size: 'max' }).map((bytes) => hex(bytes));
  fc.assert(
    fc.property(fc.oneof(known, random), fc.constantFrom(0, 200, 5000), (text, ageMs) => {
      host.hear(text, 'eth0', ageMs);
      host.clock.advance(50);
    }),
    { numRuns: 2000 },
  );
  assert.deepEqual(
    host.log.filter(({ entrance }) => entrance !== undefined),
    [],
  );
});

describe('NeighbourResponder after a stall', () => {
  const stalledMs = 5000;

  function stalledHost(): MemoryHost {
    const host = new MemoryHost();
    host.responder.add(ip('192.0.2.1'));
    host.clock.advance(20_000);
    host.takeSent();
    return host;
  }

  test('leaves old requests unanswered and counts them as late', async () => {
    const host = stalledHost();
    for (let ageMs = stalledMs; ageMs > 300; ageMs -= 60) host.hear(captured.arpRequest, 'eth0', ageMs);
    host.clock.advance(1000);
    assert.deepEqual(host.takeSent(), []);
    assert.match(
      await host.registry.metrics(),
      /bellman_layer2_requests_dropped_total\{protocol="arp",reason="late"\} 79/,
    );
  });

  test('is late until a request arrives in time, or none arrives for ten seconds', () => {
    const host = stalledHost();
    const hear = (ageMs: number) => {
      host.hear(captured.arpRequest, 'eth0', ageMs);
      host.clock.advance(20);
      return host.responder.isLate();
    };
    assert.equal(host.responder.isLate(), false);
    assert.equal(hear(stalledMs), true);
    assert.equal(hear(0), false);
    assert.equal(hear(stalledMs), true);
    host.clock.advance(9000);
    assert.equal(host.responder.isLate(), true);
    assert.equal(hear(stalledMs), true);
    host.clock.advance(9000);
    assert.equal(host.responder.isLate(), true, 'the ten seconds count from the last late request');
    host.clock.advance(1000);
    assert.equal(host.responder.isLate(), false);
  });

  test('answers recent requests, but only after it has had time to hear other speakers', () => {
    const host = stalledHost();
    for (const ageMs of [stalledMs, 200, 10, 0]) host.hear(captured.arpRequest, 'eth0', ageMs);
    assert.deepEqual(host.takeSent(), [], 'other speakers are heard first');
    host.clock.advance(20);
    assert.equal(host.takeSent().length, 3);
    host.hear(captured.arpRequest);
    assert.equal(host.takeSent().length, 1);
  });

  test('answers nothing once membership has taken the address away', () => {
    const host = stalledHost();
    for (const ageMs of [stalledMs, 200, 10]) host.hear(captured.arpRequest, 'eth0', ageMs);
    host.responder.remove(ip('192.0.2.1'));
    host.clock.advance(1000);
    assert.deepEqual(host.takeSent(), []);
  });

  test('announces only after it has had time to hear other speakers, and only if it still owns the address', () => {
    const host = stalledHost();
    host.responder.announce(ip('192.0.2.1'));
    host.takeSent();
    host.clock.stall(stalledMs);
    assert.deepEqual(host.takeSent(), []);
    host.owned = false;
    host.clock.advance(1000);
    assert.deepEqual(host.takeSent(), []);
  });

  test('delays its announcements even when an address is added after the stall, before or after the timers have run', () => {
    for (const haveTimersRun of [true, false]) {
      const host = stalledHost();
      host.responder.announce(ip('192.0.2.1'));
      host.takeSent();
      const add = () => host.responder.add(ip('192.0.2.2'));
      // This timer is due before those of the responder.
      if (!haveTimersRun) host.clock.after(1, add);
      host.clock.stall(stalledMs);
      if (haveTimersRun) add();
      assert.deepEqual(host.takeSent(), []);
      host.clock.advance(20);
      assert.ok(host.takeSent().length >= 4, 'both addresses, with two frames each');
    }
  });

  test('does not call a probed address free before answers to the probe are read', async () => {
    const host = stalledHost();
    const outcome = host.responder.probe(ip('192.0.2.2'));
    host.clock.advance(250);
    host.clock.stall(stalledMs);
    host.hear(captured.arpGratuitousReply, 'eth0', stalledMs);
    host.clock.advance(1000);
    assert.equal((await outcome).kind, 'in-use');
  });
});
