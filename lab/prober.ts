/**
 * A client that sends an HTTP request at an interval, each on a new connection. On SIGTERM or SIGINT it sends no more requests, waits for those
 * in transit, and prints one JSON object: the numbers of requests sent and answered, the longest time without an answer, the number of
 * failures by cause, and the time at which each failed request was sent.
 *   node lab/prober.ts INTERVAL_MS URL
 */
import { get } from 'node:http';

/** Shorter than the second after which TCP sends a lost SYN again, so that a request with a lost SYN counts as failed. */
const timeoutMs = 900;
const [interval = '', url = ''] = process.argv.slice(2);
let asked = 0;
let inTransit = 0;
let isStopping = false;
let answered = 0;
let lastAnswerAt = performance.now();
let longestGapMs = 0;
const failures: Record<string, number> = {};
const failedAtMs: number[] = [];

function countFailure(cause: string, sentAtMs: number): void {
  failures[cause] = (failures[cause] ?? 0) + 1;
  failedAtMs.push(sentAtMs);
}

function ask(): void {
  asked++;
  inTransit++;
  const sentAtMs = Date.now();
  const request = get(url, { agent: false, timeout: timeoutMs }, (response) => {
    response.resume();
    response.on('end', () => {
      answered++;
      const now = performance.now();
      longestGapMs = Math.max(longestGapMs, now - lastAnswerAt);
      lastAnswerAt = now;
    });
  });
  request.on('timeout', () => request.destroy(Object.assign(new Error(), { code: 'timeout' })));
  request.on('error', ({ code = 'error' }: NodeJS.ErrnoException) => countFailure(code, sentAtMs));
  request.on('close', () => {
    inTransit--;
    if (isStopping && inTransit === 0) report();
  });
}

function report(): void {
  const gapMs = Math.round(Math.max(longestGapMs, performance.now() - lastAnswerAt));
  process.stdout.write(
    `${JSON.stringify({ asked, answered, longestGapMs: gapMs, failures, failedAtMs })}\n`,
    () => process.exit(0),
  );
}

const asking = setInterval(ask, Number(interval));
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => {
    clearInterval(asking);
    isStopping = true;
    if (inTransit === 0) report();
  });
process.stdout.write('ready\n');
