import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  NodeDeaths,
  nodeDeathTiming,
  type ProbeAnswer,
} from '../../../../src/speaker/dead-nodes/node-deaths.ts';

type State = 'alive' | 'suspect' | 'dead' | 'left';

function setUp() {
  const deaths = new NodeDeaths();
  let now = 0;
  /** `a=dead b` stands for the dead member a and the living member b. */
  const members = (text: string) =>
    deaths.setMembers(
      text
        .split(' ')
        .filter(Boolean)
        .map((each) => {
          const [node = '', state = 'alive'] = each.split('=');
          return { node, state: state as State };
        }),
      now,
    );
  /** Asks the questions that are due, and answers them `afterMs` later. Returns the names of the nodes that it asked. */
  const ask = (answer: ProbeAnswer, afterMs = 500): string => {
    const questions = deaths.due(now);
    now += afterMs;
    for (const question of questions) deaths.answered(question, answer, now);
    return questions.map(({ node }) => node).join();
  };
  const pass = (ms: number) => {
    now += ms;
  };
  return { deaths, members, ask, pass, now: () => now };
}

describe('NodeDeaths', () => {
  test('finds a node dead when its speaker is dead and it leaves a question unanswered', () => {
    const { deaths, members, ask } = setUp();
    members('b');
    assert.equal(ask('answered', 1), 'b');
    members('b=suspect');
    assert.equal(ask('silent'), 'b');
    assert.deepEqual(deaths.dead, [], 'a suspect is not dead yet');
    members('b=dead');
    assert.deepEqual(deaths.dead, ['b']);
    members('b');
    assert.deepEqual(deaths.dead, [], 'its speaker is heard again');
  });

  const notDead: readonly (readonly [string, State, ProbeAnswer | 'never', ProbeAnswer])[] = [
    // Columns: case, later state of the member, answer while the member was still alive, answer in that later state
    ['a crashed speaker on a living node', 'dead', 'answered', 'answered'],
    ['a node that never answered a question', 'dead', 'silent', 'silent'],
    ['a node that was never asked', 'dead', 'never', 'silent'],
    ['a node that could not be asked', 'dead', 'answered', 'unknown'],
    ['a speaker that left', 'left', 'answered', 'silent'],
  ];
  for (const [name, state, before, after] of notDead)
    test(`does not find dead: ${name}`, () => {
      const { deaths, members, ask, pass } = setUp();
      if (before !== 'never') {
        members('b');
        ask(before, 1);
      }
      members(`b=${state}`);
      for (let i = 0; i < 10; i++) {
        ask(after);
        pass(nodeDeathTiming.pursuitMs);
        assert.deepEqual(deaths.dead, []);
      }
    });

  test('ignores the silence after a question that it asked before the speaker went missing', () => {
    const { deaths, members, ask, pass, now } = setUp();
    members('b');
    ask('answered', 1);
    pass(nodeDeathTiming.proofMs);
    const [question] = deaths.due(now());
    assert.ok(question);
    members('b=dead');
    deaths.answered(question, 'silent', now());
    assert.deepEqual(deaths.dead, []);
  });

  test('ignores the silence after a question that it asked before the speaker was heard again', () => {
    const { deaths, members, ask, now } = setUp();
    members('b');
    ask('answered', 1);
    members('b=suspect');
    const [question] = deaths.due(now());
    assert.ok(question);
    members('b');
    deaths.answered(question, 'silent', now() + 500);
    members('b=dead');
    assert.deepEqual(
      deaths.dead,
      [],
      'no question has been left unanswered since the speaker was heard again',
    );
    ask('silent');
    assert.deepEqual(deaths.dead, ['b']);
  });

  test('a node that answered while its speaker was dead is not found dead until the speaker has been heard again', () => {
    const { deaths, members, ask, pass } = setUp();
    members('b');
    ask('answered', 1);
    members('b=dead');
    ask('silent');
    assert.deepEqual(deaths.dead, ['b']);
    pass(nodeDeathTiming.pursuitMs);
    ask('answered', 1);
    assert.deepEqual(deaths.dead, []);
    pass(nodeDeathTiming.pursuitMs);
    ask('silent');
    assert.deepEqual(deaths.dead, []);
    members('b');
    ask('answered', 1);
    members('b=dead');
    ask('silent');
    assert.deepEqual(deaths.dead, ['b']);
  });

  test('a node that stops answering while its speaker is alive is unproven, and is not found dead later', () => {
    const { deaths, members, ask, pass } = setUp();
    members('b');
    ask('answered', 1);
    assert.deepEqual(deaths.unproven, []);
    pass(nodeDeathTiming.proofMs);
    assert.equal(ask('silent'), 'b');
    assert.deepEqual(deaths.unproven, ['b']);
    members('b=dead');
    ask('silent');
    assert.deepEqual(deaths.dead, []);
  });

  test('does not call a node unproven before a question to it has ended', () => {
    const { deaths, members, ask } = setUp();
    members('b c=dead');
    assert.deepEqual(deaths.unproven, []);
    assert.equal(ask('answered', 1), 'b,c');
    members('b c');
    assert.deepEqual(deaths.unproven, [], 'an answer of c while its speaker was dead does not count');
    assert.equal(ask('silent'), 'c');
    assert.deepEqual(deaths.unproven, ['c']);
  });

  test('asks at most eight nodes with a living speaker at once, and all nodes with a missing one', () => {
    const { deaths, members, ask, now } = setUp();
    const names = Array.from({ length: 30 }, (_, i) => `n${i}`);
    members(names.join(' '));
    assert.equal(deaths.due(now()).length, 8);
    assert.equal(deaths.due(now()).length, 0);
    assert.equal(deaths.wakeAtMs(), Number.POSITIVE_INFINITY, 'more questions wait until one ends');
    members(names.map((name) => `${name}=dead`).join(' '));
    assert.equal(ask('silent').split(',').length, 30);
  });

  test('a report is due when the dead nodes change', () => {
    const { deaths, members, ask, now } = setUp();
    members('b c d');
    assert.deepEqual(deaths.takeReport(now()), [], 'the first report');
    assert.equal(deaths.takeReport(now()), undefined);
    ask('answered', 1);
    members('b=dead c d');
    assert.equal(deaths.takeReport(now()), undefined, 'one missing speaker is not news');
    ask('silent');
    assert.deepEqual(deaths.takeReport(now()), ['b']);
    assert.equal(deaths.takeReport(now()), undefined);
  });

  test('a report is due when several speakers go missing, and every few seconds while most are missing', () => {
    const { deaths, members, pass, now } = setUp();
    members('b c d e');
    deaths.takeReport(now());
    pass(nodeDeathTiming.repeatMs);
    members('b=suspect c=suspect d e');
    assert.deepEqual(deaths.takeReport(now()), []);
    pass(nodeDeathTiming.repeatMs);
    assert.equal(deaths.takeReport(now()), undefined, 'two of four are not most');
    members('b=suspect c=suspect d=suspect e');
    assert.deepEqual(deaths.takeReport(now()), []);
    assert.equal(deaths.takeReport(now()), undefined);
    pass(nodeDeathTiming.repeatMs);
    assert.deepEqual(deaths.takeReport(now()), []);
  });

  test('a report that is due less than four seconds after the last one comes as soon as the four seconds are over', () => {
    const { deaths, members, pass, now } = setUp();
    members('b c d e');
    deaths.takeReport(now());
    const nextMs = now() + nodeDeathTiming.repeatMs;
    pass(1000);
    members('b=suspect c=suspect d e');
    assert.equal(deaths.takeReport(now()), undefined);
    deaths.due(now());
    assert.equal(deaths.wakeAtMs(), nextMs, 'all questions are under way');
    pass(nextMs - now());
    assert.deepEqual(deaths.takeReport(now()), []);
    pass(nodeDeathTiming.repeatMs);
    assert.equal(deaths.takeReport(now()), undefined);
  });

  test('this node is cut off when most of the other members are missing, not counting those that left', () => {
    const { deaths, members } = setUp();
    members('b=suspect c=dead d e=left f=left g=left');
    assert.equal(deaths.isCutOff, true);
    members('b=suspect c=dead d e f=left g=left');
    assert.equal(deaths.isCutOff, false, 'two of four are not most');
  });

  test('without a membership, no node is dead and none is asked', () => {
    const { deaths, members, ask, now } = setUp();
    members('b');
    ask('answered', 1);
    members('b=dead');
    ask('silent');
    deaths.setMembers(undefined, now());
    assert.deepEqual([deaths.dead, deaths.due(now()), deaths.wakeAtMs()], [[], [], Number.POSITIVE_INFINITY]);
  });
});
