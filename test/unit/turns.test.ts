import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type TurnProgress, Turns, type TurnTask } from '../../src/turns.ts';
import { SlicingClock } from '../support/slicing-clock.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** A task that notes each of its steps in `log`. `add` gives it more steps. */
function counting(name: string, log: string[]) {
  let left = 0;
  const task: TurnTask = {
    name,
    step: () => {
      log.push(name);
      left--;
      return left > 0;
    },
    remaining: () => left,
  };
  const add = (steps: number) => {
    left += steps;
  };
  return { task, add };
}

describe('Turns', () => {
  test('does all steps at once while the turn has time', () => {
    const log: string[] = [];
    const { task, add } = counting('a', log);
    const handle = new Turns(new VirtualClock()).task(task);
    add(1000);
    handle.request();
    assert.equal(log.length, 1000);
  });

  test('cuts long work into slices of a few milliseconds', () => {
    const clock = new SlicingClock();
    const log: string[] = [];
    const { task, add } = counting('a', log);
    const handle = new Turns(clock).task(task);
    add(50);
    handle.request();
    const first = log.length;
    assert.ok(first > 0 && first <= 5, String(first));
    for (let before = first; log.length < 50; before = log.length) {
      assert.ok(clock.run(1));
      assert.ok(log.length - before <= 5);
    }
    assert.equal(clock.run(10), false);
    assert.equal(log.length, 50);
  });

  test('of the tasks that have work, runs the one that was registered first, even if the others have been waiting longer', () => {
    const clock = new SlicingClock();
    const log: string[] = [];
    const turns = new Turns(clock);
    const [first, second] = [counting('first', log), counting('second', log)];
    const handles = [turns.task(first.task), turns.task(second.task)];
    second.add(20);
    handles[1]?.request();
    first.add(20);
    handles[0]?.request();
    while (clock.run(1));
    const from = log.indexOf('first');
    assert.deepEqual(
      log.slice(from, from + 20),
      Array.from({ length: 20 }, () => 'first'),
    );
    assert.equal(log.length, 40);
  });

  test('leaves time to callers of next() in each turn while a task has work', async () => {
    const clock = new SlicingClock(0.25);
    const log: string[] = [];
    const turns = new Turns(clock);
    const { task, add } = counting('task', log);
    const handle = turns.task(task);
    add(60);
    handle.request();
    const inputs = (async () => {
      for (let i = 0; i < 5; i++) {
        while (!turns.hasTime) await turns.next();
        log.push('input');
      }
    })();
    for (let i = 0; i < 200; i++) {
      clock.run(1);
      await Promise.resolve();
      await Promise.resolve();
    }
    await inputs;
    assert.ok(log.lastIndexOf('input') < log.length - 1, 'inputs were handled before the task was done');
    assert.equal(log.filter((each) => each === 'task').length, 60);
  });

  test('finishes steps in slices, and resolves to their result', async () => {
    const clock = new SlicingClock();
    let done = 0;
    const steps = function* () {
      for (; done < 20; done++) yield;
      return 'result';
    };
    let result: string | undefined;
    const finished = new Turns(clock).finish(steps()).then((value) => {
      result = value;
    });
    for (let before = 0; result === undefined; before = done) {
      await new Promise(setImmediate);
      assert.ok(done - before <= 5, `${done - before} steps in one turn`);
      clock.run(1);
    }
    await finished;
    assert.deepEqual([done, result], [20, 'result']);
  });

  test('when a step requests work, runs this work only after the step has ended', () => {
    const log: string[] = [];
    const turns = new Turns(new VirtualClock());
    const inner = counting('inner', log);
    const innerHandle = turns.task(inner.task);
    const outer = turns.task({
      name: 'outer',
      step: () => {
        inner.add(1);
        innerHandle.request();
        log.push('outer');
        return false;
      },
      remaining: () => 0,
    });
    outer.request();
    outer.request();
    assert.deepEqual(log.toSorted(), ['inner', 'inner', 'outer', 'outer']);
    assert.ok(log.indexOf('outer') < log.indexOf('inner'));
  });

  test('goes on after a step that throws', () => {
    const clock = new SlicingClock();
    let steps = 0;
    const handle = new Turns(clock).task({
      name: 'a',
      step: () => {
        steps++;
        if (steps === 1) throw new Error('bug');
        return steps < 3;
      },
      remaining: () => 0,
    });
    assert.throws(() => handle.request(), /bug/);
    while (clock.run(1));
    assert.equal(steps, 3);
  });

  test('does nothing for a task that has ended', () => {
    const clock = new SlicingClock();
    const log: string[] = [];
    const turns = new Turns(clock);
    const { task, add } = counting('a', log);
    const handle = turns.task(task);
    add(20);
    handle.request();
    const before = log.length;
    handle.end();
    handle.request();
    while (clock.run(1));
    assert.equal(log.length, before);
    assert.deepEqual(turns.status(), []);
  });

  test('keeps the other tasks when a task is ended twice', () => {
    const log: string[] = [];
    const turns = new Turns(new VirtualClock());
    const [first, second] = [counting('first', log), counting('second', log)];
    const [ended, kept] = [turns.task(first.task), turns.task(second.task)];
    ended.end();
    ended.end();
    second.add(1);
    kept.request();
    assert.deepEqual(log, ['second']);
  });

  test('reports work that takes seconds, and its end', () => {
    const clock = new SlicingClock();
    const reports: TurnProgress[] = [];
    const turns = new Turns(clock, (progress) => void reports.push(progress));
    const log: string[] = [];
    const { task, add } = counting('plans', log);
    const handle = turns.task(task);
    add(3);
    handle.request();
    while (clock.run(1));
    assert.deepEqual([reports, turns.status()], [[], []]);
    add(8000);
    handle.request();
    assert.equal(turns.status()[0]?.work, 'plans');
    while (clock.run(1));
    assert.ok(reports.length >= 2);
    assert.deepEqual(
      reports.map(({ isDone }) => isDone),
      [...reports.slice(1).map(() => false), true],
    );
    assert.deepEqual(turns.status(), []);
  });
});
