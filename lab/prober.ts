/**
 * A client that sends an HTTP request every 10 ms, each on a new connection. On SIGTERM or SIGINT it prints as JSON how many requests
 * were sent and answered, and the longest time without an answer.
 *   node lab/prober.ts URL
 */
import { get } from 'node:http';

const intervalMs = 10;
const timeoutMs = 500;
const [url = ''] = process.argv.slice(2);
let asked = 0;
let answered = 0;
let lastAnswerAt = performance.now();
let longestGapMs = 0;

function ask(): void {
  asked++;
  const request = get(url, { agent: false, timeout: timeoutMs }, (response) => {
    response.resume();
    response.on('end', () => {
      answered++;
      const now = performance.now();
      longestGapMs = Math.max(longestGapMs, now - lastAnswerAt);
      lastAnswerAt = now;
    });
  });
  request.on('timeout', () => request.destroy());
  request.on('error', () => {});
}

const asking = setInterval(ask, intervalMs);
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => {
    clearInterval(asking);
    const gapMs = Math.round(Math.max(longestGapMs, performance.now() - lastAnswerAt));
    process.stdout.write(`${JSON.stringify({ asked, answered, longestGapMs: gapMs })}\n`, () =>
      process.exit(0),
    );
  });
process.stdout.write('ready\n');
