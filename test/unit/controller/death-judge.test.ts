import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DeadNodesConfig } from '../../../src/config/index.ts';
import { DeathJudge, deathTiming } from '../../../src/controller/death-judge/death-judge.ts';

const { settleMs, quietMs, silenceMs, maxGapMs, rateMs, returnedMs } = deathTiming;
const stepMs = 100;

/** A judge over nodes a, b, c…, each with a speaker whose report is a minute old and names no node. */
class Case {
  readonly judge = new DeathJudge();
  readonly names: readonly string[];
  readonly renewTimes = new Map<string, string | undefined>();
  now = 0;
  #version = 0;

  constructor(
    count = 5,
    { maxNodes = 1, controlPlane = '' }: { maxNodes?: number | string; controlPlane?: string } = {},
  ) {
    this.names = [...'abcdefghijklmnopqrst'].slice(0, count);
    const limit: DeadNodesConfig['maxNodes'] =
      typeof maxNodes === 'number'
        ? { kind: 'number', nodes: maxNodes }
        : { kind: 'percentage', percent: Number.parseInt(maxNodes, 10) };
    this.judge.setMaxNodes(limit);
    for (const name of this.names) {
      this.judge.setNode(name, { isReady: true, isControlPlane: controlPlane.includes(name) });
      this.renewTimes.set(name, 't0');
    }
    this.judge.setSpeakers(new Set(this.names));
    for (const name of this.names) this.report(name, '');
    this.pass(60_000);
  }

  report(speakers: string, dead: string): void {
    for (const speaker of speakers)
      this.judge.setReport(
        speaker,
        { deadNodes: [...dead], resourceVersion: String(++this.#version) },
        this.now,
      );
  }

  /**
   * Reads the Leases as the shell does, and marks the nodes that are found dead. The result lists these nodes, and each marked node that came
   * back, with its sign of life.
   */
  pass(ms: number): string {
    const dead: string[] = [];
    for (const end = this.now + ms; this.now < end; this.now += stepMs) {
      for (const node of this.judge.watched()) this.judge.setLease(node, this.renewTimes.get(node), this.now);
      this.judge.noteReportsRead(this.now);
      for (const { node, sign } of this.judge.takeReturned(this.now)) dead.push(`${node} ${sign}`);
      for (const { node, state } of this.judge.decide(this.now))
        if (state === 'dead') {
          this.judge.mark(node, this.now);
          dead.push(node);
        }
    }
    return dead.join();
  }

  reasonFor(node: string): string | undefined {
    return this.judge.decide(this.now).find((each) => each.node === node)?.reason;
  }
}

describe('DeathJudge', () => {
  test('a node is dead when a majority of all speakers reports it and its Lease then does not change for half a second', () => {
    const world = new Case();
    world.report('ab', 'e');
    assert.equal(world.pass(settleMs * 2), '', 'two of five');
    world.report('c', 'e');
    assert.equal(world.pass(settleMs - stepMs), '');
    assert.equal(world.reasonFor('e'), 'may still renew its Lease');
    assert.equal(world.pass(3 * stepMs), 'e');
    assert.equal(world.pass(30_000), '', 'it is marked only once');
    assert.equal(world.judge.isMarked('e', world.now), true);
  });

  const majorities: readonly (readonly [nodes: number, reporters: string, isDead: boolean])[] = [
    [2, 'a', false],
    [3, 'a', false],
    [3, 'ab', true],
    [4, 'ab', false],
    [4, 'abc', true],
    [5, 'ab', false],
    [6, 'abc', false],
    [6, 'abcd', true],
  ];
  for (const [nodes, reporters, isDead] of majorities)
    test(`${reporters.length} of ${nodes} speakers ${isDead ? 'are' : 'are not'} a majority`, () => {
      const world = new Case(nodes);
      const last = world.names.at(-1) ?? '';
      world.report(reporters, last);
      assert.equal(world.pass(5000), isDead ? last : '');
    });

  test('the report of a node without a speaker Pod does not count', () => {
    const world = new Case();
    world.report('ab', 'e');
    world.report('x', 'e');
    assert.equal(world.pass(5000), '');
    world.report('c', 'e');
    assert.equal(world.pass(5000), 'e');
  });

  test('the report of a node about itself is a sign of its life', () => {
    const world = new Case();
    world.report('abcd', 'e');
    world.report('e', 'e');
    assert.equal(world.pass(5000), '');
  });

  test('reports no longer count once the Lease of the node has been renewed after them', () => {
    const world = new Case();
    world.report('abcd', 'e');
    world.pass(stepMs * 2);
    world.renewTimes.set('e', 't1');
    assert.equal(world.pass(15_000), '');
    assert.match(world.reasonFor('e') ?? '', /sign of life/);
    world.report('abcd', '');
    world.report('abcd', 'e');
    assert.equal(world.pass(2000), 'e', 'later reports count again');
  });

  test('only a change of renewTime matters, so a wrong clock of the node has no effect', () => {
    for (const wrong of ['1970-01-01T00:00:00Z', '2999-01-01T00:00:00Z', '']) {
      const world = new Case();
      world.renewTimes.set('e', wrong);
      world.report('abcd', 'e');
      assert.equal(world.pass(2000), 'e');
      const living = new Case();
      living.report('abcd', 'e');
      living.pass(stepMs * 2);
      living.renewTimes.set('e', wrong);
      assert.equal(living.pass(2000), '');
    }
  });

  test('no node is marked while the two sides of a partition report each other', () => {
    const world = new Case(5, { maxNodes: 5 });
    world.report('de', 'abc');
    world.report('abc', 'de');
    for (let i = 0; i < 20; i++) {
      assert.equal(world.pass(4000), '');
      world.report('de', 'abc');
      if (i % 2 === 0) for (const node of 'de') world.renewTimes.set(node, `t${i}`);
    }
  });

  test('a node that writes its own report after the others reported it is not marked', () => {
    const world = new Case();
    world.report('abc', 'e');
    world.pass(stepMs);
    world.report('e', '');
    assert.equal(world.pass(quietMs), '');
  });

  test('reports that arrive less than 10 s after the node wrote its own report do not count until the node has been silent for 20 s', () => {
    const world = new Case();
    world.report('e', '');
    world.pass(quietMs - 1000);
    world.report('abcd', 'e');
    assert.equal(world.pass(silenceMs - quietMs), '');
    assert.equal(world.pass(quietMs + 2000), 'e');
  });

  test('a new leader does not know when the reports in its first list were written, so it waits until the node has been silent for 20 s', () => {
    const world = new Case();
    const next = new DeathJudge();
    for (const name of world.names) next.setNode(name, { isReady: true, isControlPlane: false });
    next.setSpeakers(new Set(world.names));
    for (const name of world.names)
      next.setReport(name, { deadNodes: name === 'e' ? [] : ['e'], resourceVersion: '1' }, 1000);
    let deadAtMs: number | undefined;
    for (let now = 1000; now < 60_000 && deadAtMs === undefined; now += stepMs) {
      for (const node of next.watched()) next.setLease(node, 't0', now);
      next.noteReportsRead(now);
      if (next.decide(now).some(({ state }) => state === 'dead')) deadAtMs = now;
    }
    assert.ok(deadAtMs !== undefined && deadAtMs >= 1000 + silenceMs, `${deadAtMs}`);
  });

  test('a pause of more than 3 s between two reads sets the measured silence back to zero', () => {
    const world = new Case();
    world.report('e', '');
    world.report('abcd', 'e');
    world.pass(silenceMs / 2);
    world.now += 5000;
    assert.equal(world.pass(silenceMs / 2), '');
  });

  const lateReports = (world: Case) => {
    world.report('e', '');
    world.report('abcd', 'e');
  };
  for (const [how, show] of [
    ['at once', (world: Case) => world.report('abcd', 'e')],
    ['after 20 s of silence', lateReports],
  ] as const)
    test(`a node that was marked ${how} keeps its mark after a pause of more than 3 s between two reads`, () => {
      const world = new Case();
      show(world);
      assert.equal(world.pass(silenceMs + 2000), 'e');
      world.now += maxGapMs + stepMs;
      assert.equal(world.pass(silenceMs), '');
      assert.equal(world.judge.isMarked('e', world.now), true);
      world.now += maxGapMs + stepMs;
      world.report('bcd', '');
      assert.equal(world.pass(stepMs), 'e is heard by speakers again');
    });

  test('no node is marked when more nodes die together than max-nodes allows', () => {
    const world = new Case(7);
    world.report('abcde', 'fg');
    assert.equal(world.pass(5000), '');
    assert.equal(world.reasonFor('f'), 'is one of 2 nodes that died together, and max-nodes allows 1');
    const two = new Case(7, { maxNodes: 2 });
    two.report('abcde', 'fg');
    assert.equal(two.pass(5000), 'f,g');
  });

  test('max-nodes may be a percentage of the speakers, and then allows at least one node', () => {
    const ten = new Case(20, { maxNodes: '10%' });
    ten.report('abcdefghijkl', 'st');
    assert.equal(ten.pass(5000), 's,t');
    const few = new Case(5, { maxNodes: '10%' });
    few.report('abcd', 'e');
    assert.equal(few.pass(5000), 'e');
  });

  test('max-nodes counts two dead nodes together until Kubernetes notices the first, and the second is marked a minute after the first', () => {
    const world = new Case(7);
    world.report('abcde', 'g');
    assert.equal(world.pass(5000), 'g');
    world.report('abcde', 'fg');
    assert.equal(world.pass(5000), '');
    assert.match(world.reasonFor('f') ?? '', /one of 2 nodes that died together/);
    world.judge.setNode('g', { isReady: false, isControlPlane: false });
    assert.equal(world.pass(5000), '');
    assert.match(
      world.reasonFor('f') ?? '',
      /^has to wait, because max-nodes limits the nodes marked within 60 s to 1$/,
    );
    assert.equal(world.pass(rateMs), 'f');
  });

  test('max-nodes limits the nodes marked within a minute, also when several die at the same moment', () => {
    const world = new Case(9, { maxNodes: 2 });
    world.report('abcdef', 'i');
    assert.equal(world.pass(5000), 'i');
    world.judge.setNode('i', { isReady: false, isControlPlane: false });
    world.report('abcdef', 'ghi');
    assert.equal(world.pass(5000), 'g');
    assert.match(world.reasonFor('h') ?? '', /^has to wait, because max-nodes limits/);
    assert.equal(world.pass(rateMs), 'h');
  });

  const controlPlanes: readonly (readonly [controlPlane: string, isDead: boolean])[] = [
    ['e', false],
    ['de', false],
    ['cde', true],
    ['abc', true],
  ];
  for (const [controlPlane, isDead] of controlPlanes)
    test(`with the control-plane nodes ${controlPlane}, node e ${isDead ? 'may' : 'may not'} be marked`, () => {
      const world = new Case(5, { controlPlane });
      world.report('abcd', 'e');
      assert.equal(world.pass(5000), isDead ? 'e' : '');
    });

  test('control-plane nodes that Kubernetes calls not ready count as dead', () => {
    const world = new Case(5, { controlPlane: 'cde' });
    world.judge.setNode('d', { isReady: false, isControlPlane: true });
    world.report('abc', 'e');
    assert.equal(world.pass(5000), '');
  });

  test('a node that Kubernetes calls not ready is left to Kubernetes', () => {
    const world = new Case();
    world.judge.setNode('e', { isReady: false, isControlPlane: false });
    world.report('abcd', 'e');
    assert.deepEqual([world.pass(5000), world.judge.watched()], ['', []]);
  });

  test('a node without a Lease, or without a report of its own, is not marked', () => {
    const world = new Case();
    world.renewTimes.delete('e');
    world.report('abcd', 'e');
    assert.equal(world.pass(60_000), '');
    assert.equal(world.reasonFor('e'), 'has no Lease in kube-node-lease');
    const silent = new Case();
    silent.judge.setReport('e', undefined, silent.now);
    silent.report('abcd', 'e');
    assert.equal(silent.pass(60_000), '');
  });

  const signs: readonly (readonly [string, (world: Case) => void, string])[] = [
    ['a renewal of its Lease', (world) => void world.renewTimes.set('e', 't9'), 'e has renewed its Lease'],
    ['a write of its speaker', (world) => world.report('e', ''), 'e has a speaker that writes again'],
    ['the withdrawal of most reports', (world) => world.report('bcd', ''), 'e is heard by speakers again'],
  ];
  for (const [name, show, expected] of signs)
    test(`a marked node counts as returned after ${name}, and is not marked again for five minutes`, () => {
      const world = new Case();
      world.report('abcd', 'e');
      assert.equal(world.pass(2000), 'e');
      show(world);
      assert.equal(world.pass(stepMs), expected);
      assert.equal(world.judge.isMarked('e', world.now), false);
      world.report('abcde', '');
      world.pass(quietMs);
      world.report('abcd', 'e');
      assert.equal(world.pass(silenceMs + 5000), '');
      assert.equal(world.pass(returnedMs), 'e');
    });

  test('a Lease that is deleted is no sign of life, and no Pod is marked while the node has no Lease', () => {
    const world = new Case();
    world.report('abcd', 'e');
    assert.equal(world.pass(2000), 'e');
    world.renewTimes.delete('e');
    assert.equal(world.pass(2000), '');
    assert.deepEqual([world.judge.hasMark('e'), world.judge.isMarked('e', world.now)], [true, false]);
    world.renewTimes.set('e', 't1');
    assert.equal(world.pass(stepMs), 'e has renewed its Lease');
    const silent = new Case();
    silent.report('e', '');
    silent.report('abcd', 'e');
    assert.equal(silent.pass(silenceMs + 2000), 'e');
    silent.renewTimes.delete('e');
    assert.equal(silent.pass(2000), '');
    const unmarked = new Case();
    unmarked.report('abcd', 'e');
    unmarked.pass(stepMs);
    unmarked.renewTimes.delete('e');
    assert.equal(unmarked.pass(5000), '');
    assert.equal(unmarked.reasonFor('e'), 'has no Lease in kube-node-lease');
  });

  test('isMarked(), which the shell asks before each write, returns false when the last reads are old', () => {
    const world = new Case();
    world.report('abcd', 'e');
    world.pass(2000);
    assert.equal(world.judge.isMarked('e', world.now), true);
    assert.equal(world.judge.isMarked('e', world.now + 2000), false);
  });
});
