import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { HttpProbeResult } from '../../../lab/probe.ts';
import { eventually } from '../../support/eventually.ts';

const prober = fileURLToPath(new URL('../../../lab/prober.ts', import.meta.url));

/** A server that answers each request with the next of these texts and closes the connection. When no text is left, it sends the last text again. */
async function serverOf(...texts: readonly string[]): Promise<{ server: Server; answered: () => number }> {
  let answered = 0;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(texts[answered++] ?? texts.at(-1) ?? ''));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, answered: () => answered };
}

async function probe(...texts: readonly string[]): Promise<HttpProbeResult> {
  const { server, answered } = await serverOf(...texts);
  const { port } = server.address() as { readonly port: number };
  const child = spawn(process.execPath, [prober, '10', `http://127.0.0.1:${port}/`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    await eventually('the server has answered', () => answered() >= texts.length);
    child.kill('SIGTERM');
    const end = await eventually('the prober prints its result', () => /\{.*\}\n/.exec(output)?.[0]);
    return JSON.parse(end) as HttpProbeResult;
  } finally {
    child.kill('SIGKILL');
    server.close();
  }
}

const whole = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

// On a machine that stands still for a while, a request may also fail by the prober's own timeout.
test('the prober counts an answer that breaks off as a failure', async () => {
  const broken = whole.replace('Content-Length: 2', 'Content-Length: 3');
  const { asked, answered, failures, failedAtMs, lastAnsweredSentAtMs } = await probe(broken);
  assert.ok(asked > 0);
  assert.equal(answered, 0);
  assert.equal(lastAnsweredSentAtMs, 0);
  assert.equal(failedAtMs.length, asked);
  const causes = new Set(Object.keys(failures)).difference(new Set(['aborted', 'timeout']));
  assert.deepEqual(causes, new Set());
});

test('the prober counts each request once, and says when the latest answered one was sent', async () => {
  const begunAtMs = Date.now();
  const answers = ['', 'HTTP/1.1 200 OK\r\n\r\nok', 'HTTP/1.1 200 OK\r\n\r\nok', whole];
  const { asked, answered, lastAnsweredSentAtMs, failedAtMs } = await probe(...answers);
  assert.equal(answered + failedAtMs.length, asked);
  assert.equal(lastAnsweredSentAtMs >= begunAtMs && lastAnsweredSentAtMs <= Date.now(), answered > 0);
});
