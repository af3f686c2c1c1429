import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../src/clock.ts';
import type { FromLayer2 } from '../../../src/layer2/messages.ts';
import type { Claim } from '../../../src/layer2/ownership/claim.ts';
import { EntryTable } from '../../../src/layer2/ownership/entry-table.ts';
import { emptyReport, type WitnessReport } from '../../../src/layer2/ownership/witness-facts.ts';
import { WitnessRunner } from '../../../src/layer2/witness-runner.ts';
import { FlightRecorder } from '../../../src/telemetry/flight-recorder.ts';
import { ip } from '../../support/addresses.ts';
import { addressEntry, firstClaim, nodeFacts } from '../../support/layer2-cluster.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const text = '192.0.2.240';
const macs = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03'];
const nodes = ['node-1', 'node-2', 'node-3'];

/** The runner of node-1 in a cluster of three nodes. `owner` owns the only address. */
function setUp(owner: string, everySeconds = 5) {
  const clock = new VirtualClock();
  /** How far the clock of the runner is ahead of `clock`: the time that updates took. No timer fires during an update. */
  let aheadMs = 0;
  const runnerClock: Clock = {
    now: () => clock.now() + aheadMs,
    epochMs: () => clock.epochMs() + aheadMs,
    after: (delayMs, callback) => clock.after(delayMs, callback),
  };
  const asked: string[] = [];
  const trials: string[] = [];
  const late = { isLate: false, updateMs: 0 };
  const messages: FromLayer2[] = [];
  const answering = new Map(owner === 'node-1' ? [[text, 0]] : []);
  const entries = new EntryTable('node-1', (entry, address) => ({ entry, address }));
  entries.put(addressEntry(text, nodes));
  const claim: Claim = firstClaim(text, owner);
  const recorder = new FlightRecorder({ clock });
  const runner = new WitnessRunner({
    nodeName: 'node-1',
    everySeconds,
    ...{ clock: runnerClock, recorder, entries, answering, logger: memoryLogger().logger },
    claim: () => claim,
    hosts: () => [],
    responder: {
      ask: (link, address) => asked.push(`${link} ${address.value === ip(text).value}`) > 0,
      // Each update asks this first, so the rest of the update sees the later time.
      isLate: () => {
        aheadMs += late.updateMs;
        return late.isLate;
      },
      keepQuestionLinks: () => {},
      setTrials: (placed) => {
        trials.splice(0, trials.length, ...[...placed].map(({ interfaces }) => interfaces.join()));
      },
      drainCaptures: () => {},
    },
    report: (message) => messages.push(message),
    onFacts: () => {},
  });
  /** Shows the runner a cluster in which the other nodes send the report `witness`. */
  const see = (witness: WitnessReport) => {
    const facts = nodes.map((node, i) => {
      const [link] = nodeFacts().links;
      const links = link ? [{ ...link, mac: macs[i] ?? '' }] : [];
      return [
        node,
        { ...nodeFacts({ links }), ...(node === 'node-1' ? runner.facts : { witness }) },
      ] as const;
    });
    runner.see({ nodes: new Map(facts), claiming: 'allowed' });
  };
  const answer = (mac: string) => runner.answered({ address: text, family: 4, mac, interface: 'eth0' });
  return { clock, asked, trials, late, messages, recorder, runner, see, answer };
}

test('WitnessRunner asks for the address of another node, and takes only an answer of that node', () => {
  // A hash chooses the first witness among the two nodes that do not own the address. It chooses node-1 for at least one of the owners node-2
  // and node-3.
  const worlds = ['node-2', 'node-3'].map((owner) => ({ owner, ...setUp(owner) }));
  for (const { see, clock } of worlds) {
    see(emptyReport);
    clock.advance(12_000);
  }
  const active = worlds.find(({ asked }) => asked.length > 0);
  assert.ok(active);
  const { asked, runner, clock, answer, owner } = active;
  assert.ok(asked.every((question) => question === 'eth0 true'));
  assert.ok(asked.length >= 7, 'an unanswered question is repeated');
  const ownerMac = macs[nodes.indexOf(owner)] ?? '';
  const otherMac = macs.find((_, i) => nodes[i] !== owner && i !== 0) ?? '';
  const state = () => [...(runner.facts.witness?.unanswered.get(owner) ?? [])];
  answer('02:00:00:00:00:99');
  clock.advance(5000);
  assert.deepEqual(state(), [text]);
  answer(otherMac);
  clock.advance(1);
  assert.deepEqual(state(), [text]);
  answer(ownerMac);
  clock.advance(1);
  assert.deepEqual(state(), []);
});

test('WitnessRunner reports an address whose witnesses get no answer, gives it up after five seconds, and starts no trial while it owns the address', () => {
  const { see, clock, messages, runner, trials, recorder } = setUp('node-1');
  see(emptyReport);
  clock.advance(20_000);
  const unanswered = { ...emptyReport, unanswered: new Map([['node-1', new Set([text])]]) };
  see(unanswered);
  clock.advance(300);
  const [first] = messages;
  assert.ok(first?.kind === 'unverified' && !first.isGivenUp);
  assert.deepEqual([...first.witnesses].sort(), ['node-2', 'node-3']);
  assert.equal(runner.unverified, 1);
  clock.advance(6000);
  assert.ok(messages[1]?.kind === 'unverified' && messages[1].isGivenUp);
  assert.deepEqual(runner.facts.mute, new Set([text]));
  see(emptyReport);
  clock.advance(1000);
  assert.deepEqual(messages[2], { kind: 'verified', address: text });
  assert.deepEqual(trials, [], 'this node still owns the address');
  assert.ok(recorder.events('witness').length > 0);
});

test('WitnessRunner gives no address up while its process handles requests too late, and judges as soon as the process handles them in time', () => {
  const { see, clock, messages, late } = setUp('node-1');
  see(emptyReport);
  clock.advance(20_000);
  const unanswered = { ...emptyReport, unanswered: new Map([['node-1', new Set([text])]]) };
  late.isLate = true;
  see(unanswered);
  clock.advance(60_000);
  assert.equal(messages.length, 0);
  late.isLate = false;
  clock.advance(1000);
  assert.equal(messages[0]?.kind, 'unverified');
});

test('WitnessRunner gives an address up although an update was under way when the five seconds ended', () => {
  const { see, clock, messages, late } = setUp('node-1');
  see(emptyReport);
  clock.advance(20_000);
  const unanswered = { ...emptyReport, unanswered: new Map([['node-1', new Set([text])]]) };
  see(unanswered);
  clock.advance(4990);
  assert.equal(messages.length, 1);
  late.updateMs = 20;
  see(unanswered);
  clock.advance(0);
  late.updateMs = 0;
  assert.equal(messages.length, 1);
  clock.advance(1000);
  assert.ok(messages[1]?.kind === 'unverified' && messages[1].isGivenUp);
});

test('WitnessRunner with an interval of 0 asks for nothing and says that it is not a witness', () => {
  const { see, clock, asked, runner } = setUp('node-2', 0);
  see(emptyReport);
  clock.advance(60_000);
  assert.deepEqual(asked, []);
  assert.deepEqual(runner.facts, {});
});
