import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { relative } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeDatagramFrame, encodeDatagramFrame } from '../../../bench/attackers/datagram-frame.ts';
import type { HealthAnswers } from '../../../bench/health-probe.ts';
import { sentBy } from '../../../bench/support/attacker.ts';
import { ascending, knownNames, matching } from '../../../bench/support/choice.ts';
import { processesOf } from '../../../bench/support/processes.ts';

const program = (name: string) => fileURLToPath(new URL(`../../../bench/${name}.ts`, import.meta.url));

test('a bench ends with the code 2 and the known names when a flag chooses nothing', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [program('scale'), '--only', 'no such part'],
    {
      encoding: 'utf8',
    },
  );
  assert.equal(status, 2, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /--only .*no such part/);
  assert.match(stderr, /speaker: one Node heartbeat, by nodes/i);
});

test('matching() and knownNames() return what a flag chooses', () => {
  const items = ['BIRD', 'FRR', 'FRR, TCP'];
  const same = (item: string) => item;
  assert.deepEqual(matching('CASES', 'FRR', items, same), ['FRR', 'FRR, TCP']);
  assert.deepEqual(matching('CASES', '', items, same), items);
  assert.deepEqual(knownNames('--part', ['FRR', 'BIRD'], items), ['FRR', 'BIRD']);
});

test('ascending() sorts sizes by their value', () =>
  assert.deepEqual(ascending('10000,0,1000,200'), [0, 200, 1000, 10_000]));

describe('sentBy()', () => {
  for (const [what, code, sent, isEnough] of [
    ['an attacker that sent enough', 'console.log("ready"); console.log(60)', 60, true],
    ['an attacker that sent too little', 'console.log("ready"); console.log(40)', 40, false],
    ['an attacker that failed', 'console.log("ready"); console.log(100); process.exitCode = 1', 100, false],
    ['an attacker that crashed', 'console.log("ready"); process.kill(process.pid, "SIGKILL")', 0, false],
  ] as const)
    test(`${what}: ${isEnough ? 'enough' : 'not enough'}`, async () => {
      const attacker = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
      assert.deepEqual(await sentBy(attacker, 100), { sent, isEnough });
    });
});

test('processesOf() finds processes by a relative path of their program', () => {
  const path = relative(process.cwd(), process.execPath);
  assert.ok(processesOf(path, () => true).includes(process.pid), path);
});

test('the probe of /healthz counts the request that is still open when the probe ends', async (t) => {
  let requests = 0;
  const server = createServer((_, response) => {
    if (++requests === 1) response.end('ok');
    else server.emit('hung');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const hung = once(server, 'hung');
  const { port } = server.address() as AddressInfo;
  const probe = spawn(process.execPath, [program('health-probe'), `http://127.0.0.1:${port}/healthz`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => {
    probe.kill('SIGKILL');
    server.closeAllConnections();
    server.close();
  });
  const lines = createInterface({ input: probe.stdout })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'asking');
  await hung;
  probe.kill('SIGTERM');
  const { count, mostMs } = JSON.parse(String((await lines.next()).value)) as HealthAnswers;
  assert.equal(count, 2);
  assert.ok(mostMs > 0);
});

describe('a membership datagram in a frame', () => {
  const [from, to] = ['02:00:00:00:00:0b', '02:00:00:00:00:0a'];
  for (const [source, destination, udp] of [
    ['192.0.2.2', '192.0.2.1', '1f0a1f0a0012209f6d656d62657273686970'],
    ['2001:db8::b', '2001:db8::a', '1f0a1f0a0012491c6d656d62657273686970'],
  ] as const)
    test(`from ${source} has the UDP checksum that Linux sends, and decodes to its source and payload`, () => {
      const payload = Buffer.from('membership');
      const encoded = encodeDatagramFrame({ from, to, source, destination, payload });
      assert.equal(encoded.toString('hex').slice(-udp.length), udp);
      assert.deepEqual(decodeDatagramFrame(encoded), { source, payload });
    });
});
