import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { formatIp } from '../../../src/address/index.ts';
import type { AddressEntry } from '../../../src/layer2/address-entry.ts';
import { Answers } from '../../../src/layer2/answers.ts';
import type { Announcing, FromLayer2 } from '../../../src/layer2/messages.ts';
import type { AnswerAction } from '../../../src/layer2/ownership/event.ts';
import type { ProbeOutcome } from '../../../src/layer2/responder/probe.ts';
import { ip } from '../../support/addresses.ts';
import { addressEntry } from '../../support/layer2-cluster.ts';
import { type LogLine, memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const mac = '02:00:00:00:00:09';
const text = '192.0.2.1';
const inUse: ProbeOutcome = { kind: 'in-use', mac, interface: 'eth0' };

describe('Answers', () => {
  let clock: VirtualClock;
  let entries: Map<string, AddressEntry>;
  /** Everything that happened, in order. */
  let seen: string[];
  let probes: { address: string; found: (outcome: ProbeOutcome) => void }[];
  let carriers: string[];
  /** The newest report that an address is answered. */
  let announcing: Announcing | undefined;
  let answers: Answers;
  let lines: LogLine[];

  beforeEach(() => {
    clock = new VirtualClock();
    entries = new Map();
    seen = [];
    probes = [];
    carriers = ['eth0'];
    announcing = undefined;
    const log = memoryLogger();
    lines = log.lines;
    answers = new Answers({
      clock,
      logger: log.logger,
      nodeName: 'a',
      report: (message) => seen.push(reported(message)),
      responder: {
        add: (address) => void seen.push(`add ${formatIp(address)}`),
        remove: (address) => void seen.push(`remove ${formatIp(address)}`),
        announce: (address) => void seen.push(`announce ${formatIp(address)}`),
        probe: (address) =>
          new Promise((found) => {
            probes.push({ address: formatIp(address), found });
          }),
        carriers: () => carriers,
      },
      ownership: {
        entry: (address) => entries.get(address),
        isAnswering: (address) => entries.has(address),
      },
      onConflictState: (address, inConflict) =>
        void seen.push(`${inConflict ? 'in conflict' : 'free'} ${address}`),
    });
  });

  function reported(message: FromLayer2): string {
    if (message.kind === 'conflict') return `conflict ${message.mac} ${message.action}`;
    assert.equal(message.kind, 'announcing');
    announcing = message.started[0] ?? announcing;
    const started = message.started.map(({ address, interfaces }) => `started ${address} on ${interfaces}`);
    return [...started, ...message.stopped.map((address) => `stopped ${address}`)].join();
  }

  function action(address: string, mustProbe: boolean): AnswerAction {
    const entry = addressEntry(address, ['a']);
    entries.set(address, entry);
    return { kind: 'answer', entry, address: ip(address), reason: 'failover', from: 'b', mustProbe };
  }

  /** Ends the newest probe with `outcome` and waits until `Answers` has acted on it. */
  async function find(outcome: ProbeOutcome): Promise<void> {
    probes.at(-1)?.found(outcome);
    await new Promise((resolve) => setImmediate(resolve));
  }

  const begun = [`add ${text}`, `started ${text} on eth0`];

  test('an address that had an owner is answered at once', () => {
    answers.answer(action(text, false));
    assert.deepEqual(seen, begun);
    assert.equal(answers.count, 1);
    answers.silence({ kind: 'silence', address: ip(text), reason: 'b owns it' });
    assert.deepEqual(seen.slice(2), [`remove ${text}`, `stopped ${text}`]);
    assert.equal(answers.count, 0);
  });

  test('a new address is answered once a probe has found it free', async () => {
    answers.answer(action(text, true));
    assert.deepEqual(seen, []);
    await find({ kind: 'free' });
    assert.deepEqual(seen, [...begun, `free ${text}`]);
  });

  test('an address that another host uses is reported and probed again every ten seconds, and is not answered meanwhile', async () => {
    answers.answer(action(text, true));
    await find(inUse);
    assert.deepEqual(seen.splice(0), [`conflict ${mac} waiting`, `in conflict ${text}`]);
    assert.equal(answers.count, 0);
    clock.advance(9999);
    assert.equal(probes.length, 1);
    clock.advance(1);
    await find(inUse);
    seen.length = 0;
    clock.advance(10_000);
    await find({ kind: 'free' });
    assert.deepEqual(seen, [...begun, `free ${text}`]);
  });

  test('an address in conflict stays in conflict while no link can probe it, and is answered once a probe has found it free', async () => {
    answers.answer(action(text, true));
    await find(inUse);
    seen.length = 0;
    for (const _ of [1, 2]) {
      clock.advance(10_000);
      await find({ kind: 'no-link' });
      assert.deepEqual(seen, []);
    }
    clock.advance(10_000);
    await find({ kind: 'free' });
    assert.deepEqual(seen, [...begun, `free ${text}`]);
  });

  test('an address that no link can probe is answered if no conflict is known', async () => {
    answers.answer(action(text, true));
    await find({ kind: 'no-link' });
    assert.deepEqual(seen, [...begun, `free ${text}`]);
  });

  test('an address in conflict that goes to another node is reported as stopped, and a probe that ends later starts no answers', async () => {
    answers.answer(action(text, true));
    await find(inUse);
    entries.delete(text);
    answers.silence({ kind: 'silence', address: ip(text), reason: 'b owns it' });
    assert.deepEqual(seen.slice(2), [`remove ${text}`, `stopped ${text}`]);
    clock.advance(10_000);
    assert.equal(probes.length, 1);

    answers.answer(action(text, true));
    entries.delete(text);
    await find({ kind: 'free' });
    assert.equal(answers.count, 0);
  });

  test('an address that another host uses has one series of probes, even if it goes to another node and returns', async () => {
    const silence = { kind: 'silence', address: ip(text), reason: 'b owns it' } as const;
    answers.answer(action(text, true));
    await find(inUse);
    clock.advance(4000);
    answers.silence(silence);
    answers.answer(action(text, true));
    await find(inUse);
    clock.advance(6000);
    assert.equal(probes.length, 2, 'the first series has ended');
    clock.advance(4000);
    assert.equal(probes.length, 3);

    answers.silence(silence);
    answers.answer(action(text, true));
    await find(inUse);
    probes[2]?.found(inUse);
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(10_000);
    assert.equal(probes.length, 5, 'a probe that was under way starts no second series');
  });

  test('the log reports the end of the answers only for an address that was answered', async () => {
    const stopped = () => lines.filter(({ msg }) => msg === 'stopped answering').length;
    answers.answer(action(text, true));
    await find(inUse);
    answers.silence({ kind: 'silence', address: ip(text), reason: 'b owns it' });
    assert.equal(stopped(), 0);
    answers.answer(action(text, false));
    answers.silence({ kind: 'silence', address: ip(text), reason: 'b owns it' });
    assert.equal(stopped(), 1);
  });

  test('of a thousand addresses, 250 are probed at a time, and the others as earlier probes end', async () => {
    for (let i = 0; i < 1000; i++) answers.answer(action(`10.0.${i >> 8}.${i & 255}`, true));
    assert.equal(probes.length, 250);
    for (let i = 0; i < 1000; i++) {
      probes[i]?.found({ kind: 'free' });
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(answers.count, 1000);
  });

  test('an address that moves to another link is reported again with the same start time', () => {
    clock.advance(5000);
    answers.answer(action(text, false));
    const since = new Date(clock.epochMs()).toISOString();
    assert.deepEqual(announcing, { address: text, interfaces: ['eth0'], since });
    clock.advance(5000);
    seen.length = 0;
    answers.linksChanged();
    assert.deepEqual(seen, []);
    carriers = ['eth1'];
    answers.linksChanged();
    assert.deepEqual(seen.splice(0), [`started ${text} on eth1`]);
    assert.deepEqual(announcing, { address: text, interfaces: ['eth1'], since });
    carriers = [];
    answers.linksChanged();
    assert.deepEqual(seen, [], 'an address without a link is about to be silenced');
  });

  test('announceAgain() announces the selected addresses', () => {
    answers.answer(action(text, false));
    answers.answer(action('192.0.2.2', false));
    seen.length = 0;
    answers.announceAgain((address) => address !== text);
    assert.deepEqual(seen, ['announce 192.0.2.2']);
  });

  test('adjust() announces an answered address again if another node may have announced it', () => {
    const answered = action(text, false);
    answers.answer(answered);
    seen.length = 0;
    for (const mustAnnounce of [false, true])
      answers.adjust({ kind: 'adjust', entry: answered.entry, address: ip(text), mustAnnounce });
    assert.deepEqual(seen, [`add ${text}`, `add ${text}`, `announce ${text}`]);
  });

  test('an address that waits for its probe goes on waiting after adjust()', async () => {
    const waiting = action(text, true);
    answers.answer(waiting);
    answers.adjust({ kind: 'adjust', entry: waiting.entry, address: ip(text), mustAnnounce: true });
    assert.deepEqual(seen, []);
    await find({ kind: 'free' });
    assert.deepEqual(seen, [...begun, `free ${text}`]);
  });

  test('a node that yields stops answering before it reports the conflict', () => {
    answers.answer(action(text, false));
    seen.length = 0;
    const conflict = { address: ip(text), mac, interface: 'eth0', isSpeaker: false } as const;
    answers.conflict({ ...conflict, action: 'defended' });
    answers.conflict({ ...conflict, action: 'yielded', isSpeaker: true });
    assert.deepEqual(seen.splice(0), [`conflict ${mac} defended`]);
    answers.conflict({ ...conflict, action: 'yielded' });
    assert.deepEqual(seen, [`stopped ${text}`, `conflict ${mac} yielded`, `in conflict ${text}`]);
    clock.advance(10_000);
    assert.equal(probes.length, 1);
  });

  test('no further address is answered once the process is stopping', async () => {
    answers.answer(action(text, true));
    answers.end();
    await find({ kind: 'free' });
    assert.equal(answers.count, 0);
  });
});
