/**
 * A client that sends an HTTP request at an interval, each on a new connection. On SIGTERM or SIGINT it sends no more requests, waits for those
 * in transit, and prints one JSON object: the numbers of requests sent and answered, the longest time without an answer, the times at which
 * the last answered request and each failed request were sent, and the number of failures by cause.
 *   node lab/prober.ts INTERVAL_MS URL
 */
import { get, type IncomingMessage } from 'node:http';

/** TCP sends a lost SYN again after 1 s. This timeout is shorter, so that a request with a lost SYN counts as failed. */
const timeoutMs = 900;
const [interval = '', url = ''] = process.argv.slice(2);
let asked = 0;
let inTransit = 0;
let isStopping = false;
let answered = 0;
let lastAnswerAt = performance.now();
let longestGapMs = 0;
let lastAnsweredSentAtMs = 0;
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
  let response: IncomingMessage | undefined;
  let cause = 'aborted';
  const request = get(url, { agent: false, timeout: timeoutMs }, (arriving) => {
    response = arriving;
    arriving.resume();
    arriving.on('end', () => {
      answered++;
      lastAnsweredSentAtMs = Math.max(lastAnsweredSentAtMs, sentAtMs);
      const now = performance.now();
      longestGapMs = Math.max(longestGapMs, now - lastAnswerAt);
      lastAnswerAt = now;
    });
  });
  request.on('timeout', () => request.destroy(Object.assign(new Error(), { code: 'timeout' })));
  request.on('error', ({ code = 'error' }: NodeJS.ErrnoException) => {
    cause = code;
  });
  request.on('close', () => {
    // When a connection closes in the middle of an answer, the request may emit no event `error`, so failures are counted here.
    if (!response?.complete) countFailure(cause, sentAtMs);
    inTransit--;
    if (isStopping && inTransit === 0) report();
  });
}

function report(): void {
  const gapMs = Math.round(Math.max(longestGapMs, performance.now() - lastAnswerAt));
  process.stdout.write(
    `${JSON.stringify({ asked, answered, longestGapMs: gapMs, lastAnsweredSentAtMs, failures, failedAtMs })}\n`,
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
