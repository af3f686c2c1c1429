import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab } from '../../lab/lab.ts';
import { steps } from '../../lab/steps.ts';
import { Tour } from '../../lab/tour.ts';

let lab: Lab;
before(async () => {
  lab = await Lab.start();
});
after(() => lab.close());

for (const { title, run } of steps) {
  test(title, async (context) => {
    let output = '';
    const tour = new Tour((text) => {
      output += text;
    });
    await run(lab, tour);
    const code = tour.finish();
    if (code !== 0) context.diagnostic(output);
    assert.equal(code, 0);
  });
}
