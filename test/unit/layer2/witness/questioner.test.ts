import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Question, Questioner, type Subject } from '../../../../src/layer2/witness/questioner.ts';

const segment = 'eth0/4';
const subject = (i: number, over: Partial<Subject> = {}): Subject => ({
  ...{ address: `a${i}`, node: 'node-1', segment, role: 'owner', isUrgent: false },
  ...over,
});
const subjects = (count: number) => Array.from({ length: count }, (_, i) => subject(i));
const controls = [{ address: 'host-2', node: 'node-2', segment }];

/** Runs the machine until `endMs`. `answer` says whether a question gets its answer. Returns the questions with their times. */
function run(
  questioner: Questioner,
  endMs: number,
  answer: (question: Question, nowMs: number) => boolean,
): { readonly atMs: number; readonly question: Question }[] {
  const asked: { atMs: number; question: Question }[] = [];
  for (let nowMs = questioner.wakeAtMs(); nowMs <= endMs; nowMs = Math.max(nowMs + 1, questioner.wakeAtMs()))
    for (const question of questioner.tick(nowMs)) {
      asked.push({ atMs: nowMs, question });
      if (answer(question, nowMs)) questioner.answered(question, nowMs);
    }
  return asked;
}

describe('Questioner', () => {
  test('asks for each address once in each interval while it is answered', () => {
    const questioner = new Questioner(5000);
    questioner.watch(subjects(10), [], 50, 0);
    const asked = run(questioner, 60_000, () => true);
    const times = asked.filter(({ question }) => question.address === 'a3').map(({ atMs }) => atMs);
    assert.ok(times.length === 12 || times.length === 13, `${times.length} questions`);
    for (const [i, atMs] of times.slice(1).entries()) assert.equal(atMs - (times[i] ?? 0), 5000);
  });

  for (const [name, answers] of [
    ['are answered', true],
    ['stay unanswered', false],
  ] as const)
    test(`sends at most 50 questions in a second for 10,000 addresses that ${name}`, () => {
      const questioner = new Questioner(5000);
      questioner.watch(subjects(10_000), controls, 50, 0);
      const asked = run(questioner, 20_000, () => answers);
      const perSecond = Map.groupBy(asked, ({ atMs }) => Math.floor(atMs / 1000));
      // The pace allows a burst of five questions in addition.
      for (const questions of perSecond.values()) assert.ok(questions.length <= 55, `${questions.length}`);
      assert.ok(asked.length >= 900 && asked.length <= 1005, `${asked.length} questions`);
    });

  test('reports an address after six questions without an answer, and stops reporting it after one answer', () => {
    const questioner = new Questioner(5000);
    questioner.watch(subjects(2), controls, 50, 0);
    const hears = ({ address }: Question) => address !== 'a1';
    // The first question for a1 is due after half an interval, at 2.5 s. Six more follow every 250 ms, so the seventh is due at 4 s.
    run(questioner, 3900, hears);
    assert.deepEqual([...questioner.report(3900).unanswered], []);
    run(questioner, 4100, hears);
    assert.deepEqual([...questioner.report(4100).unanswered], [['node-1', new Set(['a1'])]]);
    questioner.answered(subject(1), 4101);
    assert.deepEqual([...questioner.report(4101).unanswered], []);
  });

  // In these clusters, the bound on the questions of a link leaves each node 17, 2 or 1 questions in a second.
  for (const [nodes, perSecond] of [
    [12, 17],
    [100, 2],
    [300, 1],
  ] as const) {
    const others = Array.from({ length: nodes - 1 }, (_, i) => `node-${i + 2}`);
    const hosts = others.map((node) => ({ address: `host-${node}`, node, segment }));

    test(`in a cluster of ${nodes} nodes, reports the only address that it asks for`, () => {
      const questioner = new Questioner(5000);
      questioner.watch(subjects(1), hosts, perSecond, 0);
      const asked = run(questioner, 30_000, ({ node }) => node !== 'node-1');
      assert.deepEqual(questioner.report(30_000), {
        unanswered: new Map([['node-1', new Set(['a0'])]]),
        answered: new Map(),
        isDeaf: false,
      });
      assert.ok(asked.length <= 31 * perSecond, `${asked.length} questions`);
    });

    test(`in a cluster of ${nodes} nodes, notices further faults, and asks all nodes, while it asks again and again for many addresses`, () => {
      const questioner = new Questioner(5000);
      const healthy = others.slice(4, 9).map((node, i) => subject(100 + i, { node }));
      const failing = ['node-1', ...others.slice(0, 3)].flatMap((node) =>
        Array.from({ length: 10 }, (_, i) => subject(i, { node })),
      );
      const late = subject(200, { node: others[3] ?? '' });
      questioner.watch([...failing, late, ...healthy], hosts, perSecond, 0);
      const failed = new Set(failing);
      const hears = (question: Question) => !failed.has(question as Subject);
      run(questioner, 1_000_000, hears);
      failed.add(late);
      const asked = run(questioner, 1_500_000, hears);
      const { unanswered, isDeaf } = questioner.report(1_500_000);
      assert.equal(isDeaf, false);
      assert.equal(
        [...unanswered.values()].flatMap((addresses) => [...addresses]).length,
        failing.length + 1,
      );
      for (const each of [...failing, late, ...healthy])
        assert.ok(
          asked.filter(({ question }) => question === each).length > 1,
          `${each.node} ${each.address}`,
        );
    });
  }

  test('does not call itself deaf when many unanswered addresses of one segment delay the questions on another', () => {
    const questioner = new Questioner(5000);
    const segments = ['eth0/4', 'eth0/6'];
    const failing = segments.flatMap((each, i) =>
      Array.from({ length: 16 }, (_, j) => subject(j, { node: `node-${i}`, segment: each })),
    );
    const hosts = segments.map((each) => ({ address: `host ${each}`, node: 'node-9', segment: each }));
    questioner.watch(failing, hosts, 2, 0);
    for (let endMs = 10_000; endMs <= 1_000_000; endMs += 10_000) {
      run(questioner, endMs, ({ node }) => node === 'node-9');
      assert.ok(!questioner.report(endMs).isDeaf, `deaf at ${endMs}`);
    }
    const { unanswered } = questioner.report(1_000_000);
    assert.deepEqual(
      [...unanswered.values()].map(({ size }) => size),
      [16, 16],
    );
  });

  test('reports all addresses of a node with more than 16 unanswered ones', () => {
    const questioner = new Questioner(5000);
    questioner.watch(subjects(40), controls, 50, 0);
    run(questioner, 30_000, ({ node }) => node === 'node-2');
    assert.deepEqual([...questioner.report(30_000).unanswered], [['node-1', new Set(['*'])]]);
  });

  test('asks at once for an urgent address', () => {
    const questioner = new Questioner(5000);
    questioner.watch(subjects(1), controls, 50, 0);
    run(questioner, 1000, () => true);
    questioner.watch([subject(0), subject(1, { isUrgent: true })], controls, 50, 1000);
    const asked = run(questioner, 3000, ({ node }) => node === 'node-2');
    assert.equal(asked[0]?.atMs, 1000);
    assert.deepEqual([...questioner.report(3000).unanswered], [['node-1', new Set(['a1'])]]);
  });

  test('names a node once if it has never answered on the segment, and does not name other nodes', () => {
    const questioner = new Questioner(5000);
    questioner.watch(subjects(2), controls, 50, 0);
    const hears = ({ node }: Question) => node === 'node-2';
    run(questioner, 10_000, hears);
    assert.deepEqual(questioner.takeStrangers(), [{ node: 'node-1', segment }]);
    run(questioner, 20_000, hears);
    assert.deepEqual(questioner.takeStrangers(), []);
    run(questioner, 30_000, () => true);
    run(questioner, 40_000, hears);
    assert.deepEqual([...questioner.report(40_000).unanswered.keys()], ['node-1']);
    assert.deepEqual(questioner.takeStrangers(), []);
  });

  test('names no node while no node answers', () => {
    const questioner = new Questioner(5000);
    questioner.watch(subjects(1), controls, 50, 0);
    run(questioner, 30_000, () => false);
    assert.deepEqual(questioner.takeStrangers(), []);
  });

  test('says that it is deaf, and reports nothing, when no node answers', () => {
    const questioner = new Questioner(5000);
    questioner.watch(subjects(1), controls, 50, 0);
    run(questioner, 30_000, () => false);
    assert.deepEqual(questioner.report(30_000), { unanswered: new Map(), answered: new Map(), isDeaf: true });
  });

  test('counts no question that was open while the process was stopped', () => {
    const questioner = new Questioner(5000);
    questioner.watch(subjects(1), controls, 50, 0);
    for (let nowMs = questioner.wakeAtMs(); nowMs < 60_000; nowMs = questioner.wakeAtMs() + 3000)
      for (const question of questioner.tick(nowMs))
        if (question.node === 'node-2') questioner.answered(question, nowMs);
    assert.deepEqual(questioner.report(60_000), {
      unanswered: new Map(),
      answered: new Map(),
      isDeaf: false,
    });
  });

  test('reports an address on trial after three answers in a row', () => {
    const questioner = new Questioner(5000);
    questioner.watch([subject(0, { role: 'trial' })], controls, 50, 0);
    run(questioner, 14_000, (_, nowMs) => nowMs > 4000);
    assert.deepEqual([...questioner.report(14_000).answered], []);
    run(questioner, 16_000, () => true);
    assert.deepEqual([...questioner.report(16_000).answered], [['node-1', new Set(['a0'])]]);
    run(questioner, 21_000, () => false);
    assert.deepEqual([...questioner.report(21_000).answered], []);
  });
});
