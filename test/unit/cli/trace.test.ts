import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queryOf } from '../../../src/cli/trace/collect.ts';
import { formatTrace } from '../../../src/cli/trace/format.ts';
import { decodeEvents } from '../../../src/telemetry/event-codec.ts';

const event = {
  machine: 'peer router',
  at: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  state: 'OpenSent',
  event: { kind: 'tcp-connected' },
  actions: [{ kind: 'send', message: 'OPEN' }, 'plain'],
};

test('formatTrace() writes an event and each of its actions on a line of its own', () => {
  assert.equal(
    formatTrace([{ node: 'node-1', ...event }], 'text'),
    [
      '2026-01-02T03:04:05.678Z  node-1  peer router  tcp-connected  ⇒ OpenSent',
      '    → send message="OPEN"',
      '    → "plain"',
      '',
    ].join('\n'),
  );
});

test('formatTrace() writes JSON lines that name the node', () => {
  const [line = ''] = formatTrace([{ node: 'node-1', ...event }], 'json').split('\n');
  assert.deepEqual(JSON.parse(line), { node: 'node-1', ...event });
});

test('formatTrace() shortens a long event, and still shows the state', () => {
  const long = { kind: 'open', capabilities: 'x'.repeat(5000) };
  const [line = ''] = formatTrace([{ node: 'node-1', ...event, event: long }], 'text').split('\n');
  assert.ok(line.length < 400);
  assert.match(line, /x… {2}⇒ OpenSent$/);
});

test('formatTrace() prints a time that is not a valid date as a number', () => {
  assert.match(formatTrace([{ node: 'n', ...event, at: 1e300 }], 'text'), /^1e\+300 /);
});

for (const [subject, query] of [
  ['membership', 'machine=membership'],
  ['192.0.2.1', 'address=192.0.2.1'],
  ['2001:DB8:0::1', 'address=2001%3Adb8%3A%3A1'],
  ['top of rack', 'machine=peer+top+of+rack&machine=bfd+top+of+rack'],
] as const)
  test(`queryOf() turns “${subject}” into ${query}`, () => assert.equal(queryOf(subject), query));

test('decodeEvents() makes received texts printable, and gives the number of a line that is not an event', () => {
  const hostile = { ...event, state: 'a\u001b[31m', event: { 'k\u202E': ['\u2028'] } };
  const result = decodeEvents(`${JSON.stringify(hostile)}\n`);
  assert.ok(result.ok);
  assert.doesNotMatch(JSON.stringify(result.value), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\\u001b/u);
  assert.deepEqual(decodeEvents(`${JSON.stringify(event)}\n{"machine":1}\n`), {
    ok: false,
    error: 'line 2 is not a recorded event',
  });
});
