import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tour } from '../../../lab/tour.ts';

test('Tour.check() runs the command again after an error, even if holds() would accept the text of the error', async () => {
  const tour = new Tour(() => {});
  const runs = [() => Promise.reject(new Error('no connection')), () => Promise.resolve('no routes')];
  const output = await tour.check('there is no route', 'router', 'birdc show route', {
    run: () => runs.shift()?.() ?? Promise.reject(new Error('asked too often')),
    holds: (text) => !text.includes('198.51.100.1'),
  });
  assert.equal(output, 'no routes');
  assert.equal(tour.finish(), 0);
});
