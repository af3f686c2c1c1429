import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  lineSeen,
  lineWritten,
  mayWriteLine,
  newContest,
  partitionEnded,
  type SeenLine,
} from '../../../../src/speaker/record/record-contest.ts';

/**
 * Each row has a name and its steps. `see LINE` says that LINE was seen. `write LINE` says that our line was written over LINE.
 * `at SECOND LINE yes|no` says whether our line may be written over LINE at that second. `end` says that
 * a partition has ended.
 */
const tables: readonly (readonly [string, readonly string[]])[] = [
  ['a new owner writes over any line', ['at 0 absent yes', 'at 0 ours yes', 'at 0 other yes']],
  ['an owner writes its line again at once when the line is gone', ['write absent', 'at 0 absent yes']],
  [
    'an owner does not overwrite the line of another node until ten seconds after it first saw that line',
    ['see ours', 'at 0 other no', 'see other', 'at 9 other no', 'at 10 other yes'],
  ],
  [
    'once our line is back, a new pause begins only when the line of another node is seen again',
    ['see ours', 'see other', 'see ours', 'at 60 other no'],
  ],
  [
    'the pause doubles each time our line is written again over that of another node',
    ['see ours', 'see other', 'write other', 'see other', 'at 19 other no', 'at 20 other yes'],
  ],
  [
    'after a partition, the pause is as short as at first',
    ['see ours', 'see other', 'write other', 'see other', 'end', 'at 9 other no', 'at 10 other yes'],
  ],
  ['the first written line does not double the pause', ['write other', 'see other', 'at 10 other yes']],
];
for (const [name, steps] of tables)
  test(`RecordContest: ${name}`, () => {
    let contest = newContest;
    for (const step of steps) {
      const [verb, first = '', line = '', expected] = step.split(' ');
      if (verb === 'see') contest = lineSeen(contest, first as SeenLine, 0);
      else if (verb === 'end') contest = partitionEnded(contest);
      else if (verb === 'write') contest = lineWritten(contest, first as SeenLine);
      else
        assert.equal(mayWriteLine(contest, line as SeenLine, Number(first) * 1000), expected === 'yes', step);
    }
  });

test('RecordContest: the pause never exceeds ten minutes', () => {
  let contest = lineSeen(newContest, 'ours', 0);
  for (let i = 0; i < 40; i++) contest = lineWritten(lineSeen(contest, 'other', 0), 'other');
  assert.equal(contest.pauseMs, 600_000);
});
