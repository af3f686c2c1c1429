import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatIp } from '../../../src/address/index.ts';
import { ClaimStore } from '../../../src/layer2/ownership/claim-store.ts';
import { Ownership } from '../../../src/layer2/ownership/ownership.ts';
import { complete } from '../../../src/layer2/ownership/steps.ts';
import { OwnershipRecorder } from '../../../src/layer2/ownership-recorder.ts';
import { OwnershipRunner } from '../../../src/layer2/ownership-runner.ts';
import { FlightRecorder } from '../../../src/telemetry/flight-recorder.ts';
import { ip } from '../../support/addresses.ts';
import { addressEntry, firstClaim, nodeFacts } from '../../support/layer2-cluster.ts';
import { SlicingClock } from '../../support/slicing-clock.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { forB } from './ownership/subject.ts';

const web = '192.0.2.1';

/** The node `a`, alone, with the runner around its ownership machine. */
function newNode() {
  const clock = new VirtualClock();
  const claims = new ClaimStore();
  const ownership = new Ownership('a', claims);
  const flightRecorder = new FlightRecorder({ clock });
  const recorder = new OwnershipRecorder({ clock, recorder: flightRecorder, ownership, claims });
  const seen: string[] = [];
  let between = () => {};
  const runner = new OwnershipRunner({
    clock,
    ownership,
    recorder,
    answers: {
      answer: ({ address, mustProbe }) =>
        void seen.push(`${mustProbe ? 'probe' : 'answer'} ${formatIp(address)}`),
      adjust: ({ address }) => void seen.push(`adjust ${formatIp(address)}`),
      silence: ({ address }) => void seen.push(`silence ${formatIp(address)}`),
    },
    publish: (published) => {
      for (const claim of published) {
        claims.merge(claim);
        seen.push(`claim ${claim.address} ${claim.epoch}${claim.inConflict ? ' in conflict' : ''}`);
      }
    },
    drainCaptures: () => between(),
    onAnswer: ({ reason }) => void seen.push(reason),
  });
  const setBetween = (callback: () => void) => {
    between = callback;
  };
  runner.send({
    kind: 'view',
    view: { nodes: new Map([['a', nodeFacts()]]), claiming: 'allowed' },
  });
  return { clock, claims, runner, seen, setBetween, recorder, flightRecorder };
}

describe('OwnershipRunner', () => {
  test('runs actions in order and wakes the machine on time', () => {
    const { runner, seen, clock } = newNode();
    runner.send({ kind: 'table', entries: [addressEntry(web, ['a'])] });
    runner.send({ kind: 'started' });
    assert.deepEqual(seen, []);
    clock.advance(100);
    assert.deepEqual(seen, [`probe ${web}`, 'first', `claim ${web} 1`]);
    runner.stop();
    clock.advance(60_000);
    assert.equal(seen.length, 3);
  });

  test('finishes the current event before it handles an event that arrives between two steps', () => {
    const { runner, seen, claims, setBetween } = newNode();
    claims.merge(firstClaim(web, 'a'));
    runner.send({ kind: 'table', entries: [addressEntry(web, ['a'])] });
    let isSent = false;
    setBetween(() => {
      if (isSent) return;
      isSent = true;
      runner.send({ kind: 'conflict', address: web, inConflict: true });
      assert.deepEqual(seen, [], 'the machine finishes its decision first');
    });
    runner.send({ kind: 'started' });
    assert.deepEqual(seen, [`answer ${web}`, 'failover', `claim ${web} 2 in conflict`]);
  });

  for (const [what, isTimerFirst] of [
    ['the timer fires first', true],
    ['another claim arrives first', false],
  ] as const)
    test(`after a stall, a node does not pass over another one whose claim it may not have read yet, even if ${what}`, () => {
      const { runner, seen, claims, clock } = newNode();
      const hear = (address: string, from: string) => {
        claims.merge({ ...firstClaim(address, 'b'), epoch: 2, from });
        runner.send({ kind: 'claims-received', addresses: [address] });
        runner.send({ kind: 'tick' });
      };
      for (const address of [forB, web]) claims.merge(firstClaim(address, 'd'));
      runner.send({
        kind: 'view',
        view: { nodes: new Map(['a', 'b'].map((name) => [name, nodeFacts()])), claiming: 'allowed' },
      });
      runner.send({ kind: 'table', entries: [addressEntry(forB, ['a', 'b'])] });
      runner.send({ kind: 'started' });
      if (!isTimerFirst) clock.after(1, () => hear(web, 'd'));
      clock.stall(5000);
      clock.advance(900);
      hear(forB, 'd');
      clock.advance(60_000);
      assert.deepEqual(seen, []);
    });

  test('a node that still does not claim within a second after a stall is passed over', () => {
    const { runner, seen, claims, clock } = newNode();
    claims.merge(firstClaim(forB, 'd'));
    runner.send({
      kind: 'view',
      view: { nodes: new Map(['a', 'b'].map((name) => [name, nodeFacts()])), claiming: 'allowed' },
    });
    runner.send({ kind: 'table', entries: [addressEntry(forB, ['a', 'b'])] });
    runner.send({ kind: 'started' });
    clock.stall(5000);
    clock.advance(1000);
    assert.deepEqual(seen, [`answer ${forB}`, 'failover', `claim ${forB} 2`]);
  });
});

describe('OwnershipRunner in slices', () => {
  const addresses = Array.from({ length: 300 }, (_, i) => `192.0.${2 + (i >> 8)}.${i & 255}`);
  const facts = nodeFacts({ subnets: ['192.0.0.0/16'] });
  const view = (...live: string[]) =>
    ({
      kind: 'view',
      view: { nodes: new Map(live.map((name) => [name, facts])), claiming: 'allowed' },
    }) as const;

  /** The node `a` on a slow machine. Node `b` owns the addresses. */
  function newSlowNode() {
    const clock = new SlicingClock(0.1);
    const claims = new ClaimStore();
    const ownership = new Ownership('a', claims);
    const published: number[] = [];
    const answering = new Set<string>();
    const runner = new OwnershipRunner({
      clock,
      ownership,
      recorder: { *record() {} },
      answers: {
        answer: ({ address }) => void answering.add(formatIp(address)),
        adjust: () => {},
        silence: ({ address }) => void answering.delete(formatIp(address)),
      },
      publish: (all) => {
        published.push(all.length);
        for (const claim of all) claims.merge(claim);
      },
      drainCaptures: () => {},
      onAnswer: () => {},
    });
    for (const address of addresses) claims.merge(firstClaim(address, 'b'));
    runner.send(view('a', 'b'));
    runner.send({
      kind: 'table',
      entries: addresses.map((address) => addressEntry(address, ['a', 'b', 'c'])),
    });
    runner.send({ kind: 'started' });
    while (clock.run(1));
    return { clock, claims, runner, published, answering };
  }

  test('a takeover of many addresses leaves time for other work, and publishes its claims on the way', () => {
    const { clock, runner, published, answering } = newSlowNode();
    let isHandled = false;
    runner.send(view('a'), () => {
      isHandled = true;
    });
    let turns = 0;
    let publishedBeforeEnd = 0;
    for (; !isHandled && clock.run(1); turns++) publishedBeforeEnd = published.length;
    assert.ok(turns > 20, `${turns} turns`);
    assert.ok(publishedBeforeEnd >= 2, `${publishedBeforeEnd} groups of claims before the end`);
    while (clock.run(1));
    assert.equal(answering.size, addresses.length);
  });

  test('a member that returns during the takeover of its addresses keeps those that are not taken yet', () => {
    const { clock, runner, answering } = newSlowNode();
    runner.send(view('a'));
    while (answering.size < 10 && clock.run(1));
    runner.send(view('a', 'b'));
    while (clock.run(1));
    assert.ok(answering.size < 20, `${answering.size} taken`);
  });

  test('when another node claims an address, this node stops answering for it at once, even in the middle of a decision', () => {
    const { clock, claims, runner, answering } = newSlowNode();
    runner.send(view('a', 'c'));
    while (answering.size < 10 && clock.run(1));
    const [first = ''] = answering;
    runner.send({ kind: 'table', entries: [addressEntry(first, ['a', 'c'])] });
    claims.merge({ ...firstClaim(first, 'c'), epoch: 9, from: 'b' });
    runner.send({ kind: 'claims-received', addresses: [first] });
    assert.ok(!answering.has(first));
  });
});

describe('OwnershipRecorder', () => {
  test('records each event except a tick without actions, and the steps of each address under the name of that address', () => {
    const { runner, claims, recorder, flightRecorder } = newNode();
    claims.merge(firstClaim(web, 'a'));
    runner.send({
      kind: 'table',
      entries: [addressEntry(web, ['a', 'b']), addressEntry('192.0.2.2', ['b'])],
    });
    runner.send({ kind: 'started' });
    runner.send({ kind: 'tick' });
    claims.merge({ ...firstClaim(web, 'b'), epoch: 2, from: 'a' });
    runner.send({ kind: 'claims-received', addresses: [web] });
    assert.deepEqual(
      flightRecorder.events('ownership').map(({ event }) => (event as { kind: string }).kind),
      ['view', 'table', 'started', 'claims-received'],
    );
    const steps = recorder.addressEvents();
    assert.deepEqual(
      steps.map(({ machine, state, event, actions }) => [
        machine,
        state,
        (event as { kind: string }).kind,
        actions.map((action) => (action as { kind: string }).kind),
      ]),
      [
        [`address ${web}`, 'answering', 'started', ['answer']],
        [`address ${web}`, 'answering', 'claims-received', []],
      ],
    );
    assert.match(JSON.stringify(steps[1]), /"owner":"b","epoch":2/);
  });

  test('records the first 32 items of each list, and the number of the others', () => {
    const { recorder, flightRecorder } = newNode();
    const entries = Array.from({ length: 40 }, (_, i) => addressEntry(`10.0.0.${i}`, ['a']));
    const addresses = entries.map(({ address }) => address);
    const remove = addresses.map((address) => ({ address, observedVersion: 0 }));
    const silences = addresses.map((text) => ({
      kind: 'silence' as const,
      address: ip(text),
      reason: 'test',
    }));
    for (const event of [
      { kind: 'change' as const, upsert: entries, remove },
      { kind: 'claims-received' as const, addresses: new Set(addresses) },
      { kind: 'claims-published' as const, addresses },
    ])
      complete(recorder.record(event, silences));
    const listed = [...addresses.slice(0, 32), '… 8 more'];
    const recorded = flightRecorder.events('ownership').slice(-3);
    assert.deepEqual(
      recorded.map(({ event }) => event),
      [
        { kind: 'change', upsert: listed, remove: listed },
        { kind: 'claims-received', addresses: listed },
        { kind: 'claims-published', addresses: listed },
      ],
    );
    for (const { actions } of recorded) {
      assert.equal(actions.length, 33);
      assert.equal(actions.at(-1), '… 8 more');
    }
  });

  test('keeps the steps of 1,024 addresses without displacing the events of other machines', () => {
    const { runner, claims, recorder, flightRecorder } = newNode();
    flightRecorder.record('membership', 'alive', { kind: 'ping' }, []);
    const entries = Array.from({ length: 2000 }, (_, i) =>
      addressEntry(`10.0.${i >> 8}.${i & 255}`, ['a'], { interfaces: ['eth0'] }),
    );
    for (const { address } of entries) claims.merge(firstClaim(address, 'a'));
    runner.send({ kind: 'table', entries });
    runner.send({ kind: 'started' });
    assert.equal(flightRecorder.events('membership').length, 1);
    assert.equal(recorder.addressEvents().length, 1024);
  });
});
