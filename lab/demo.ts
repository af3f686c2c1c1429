/** `make demo`: the guided tour. Exits with 0 only if every check held. */
import { reasonOf } from '../src/result.ts';
import { Lab } from './lab.ts';
import { steps } from './steps.ts';
import { Tour } from './tour.ts';

const tour = new Tour();
let lab: Lab | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
try {
  lab = await Lab.start();
  for (const { title, run } of steps) {
    tour.step(title);
    await run(lab, tour);
  }
} catch (error) {
  tour.verdict(`the demo stopped early: ${reasonOf(error)}`, false);
}
process.exitCode = tour.finish();
await lab?.close();
process.exit();
