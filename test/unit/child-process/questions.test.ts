import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Questions } from '../../../src/child-process/questions.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass } from '../../support/virtual-run.ts';

describe('Questions', () => {
  function setUp() {
    const clock = new VirtualClock();
    const questions = new Questions('layer-2 process', clock);
    const ids: number[] = [];
    return { clock, questions, ids, ask: () => questions.ask<string>((id) => void ids.push(id)) };
  }

  test('gives each answer to its question, whatever the order', async () => {
    const { questions, ids, ask } = setUp();
    const answers = [ask(), ask()];
    const [first = 0, second = 0] = ids;
    questions.answered(second, 'two');
    questions.answered(first, 'one');
    questions.answered(first, 'again');
    assert.deepEqual(await Promise.all(answers), ['one', 'two']);
  });

  test('fails a question that is not answered in time', async () => {
    const { clock, ask } = setUp();
    const failure = assert.rejects(ask(), /^Error: the layer-2 process does not answer$/);
    await pass(clock, 5000);
    await failure;
  });

  test('fails all questions when the process ends', async () => {
    const { questions, ask } = setUp();
    const failures = [ask(), ask()].map((answer) =>
      assert.rejects(answer, /^Error: the layer-2 process has ended$/),
    );
    questions.failAll();
    await Promise.all(failures);
  });
});
