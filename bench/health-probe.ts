/**
 * Asks a process for `/healthz` again and again. Prints a line when the first request is over. On SIGTERM, prints how long the answers took. A
 * request that still waits for its answer at that moment counts with its age. Runs as a process of its own, because the work of a bench would
 * delay its requests.
 *   .cache/bin/node bench/health-probe.ts URL
 */
import { Agent, get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

export interface HealthAnswers {
  readonly count: number;
  /** Answers other than 200, and requests that ended in an error. A request that is open at SIGTERM is not bad. */
  readonly bad: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly mostMs: number;
}

const everyMs = 20;
const [url = ''] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });
const tookMs: number[] = [];
let bad = 0;
/** When the open request began; `undefined` between two requests. */
let openSinceMs: number | undefined;

process.once('SIGTERM', () => {
  // A process that hangs shows in the age of the request that it does not answer.
  if (openSinceMs !== undefined) tookMs.push(performance.now() - openSinceMs);
  const sorted = tookMs.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const answers: HealthAnswers = {
    count: sorted.length,
    bad,
    medianMs: at(0.5),
    p99Ms: at(0.99),
    mostMs: at(1),
  };
  console.log(JSON.stringify(answers));
  process.exit();
});

for (;;) {
  const beganMs = performance.now();
  openSinceMs = beganMs;
  await new Promise<void>((resolve) => {
    const request = get(url, { agent }, (response) => {
      if (response.statusCode !== 200) bad++;
      response.resume().once('end', resolve);
    });
    request.once('error', () => {
      bad++;
      resolve();
    });
  });
  openSinceMs = undefined;
  tookMs.push(performance.now() - beganMs);
  if (tookMs.length === 1) console.log('asking');
  await pause(everyMs);
}
