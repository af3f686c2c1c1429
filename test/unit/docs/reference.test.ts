/** Checks that the generated reference pages are up to date and complete. */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { logCalls } from '../../../scripts/reference/log-calls.ts';
import { allMetrics } from '../../../scripts/reference/metrics.ts';
import { referencePages } from '../../../scripts/reference/pages.ts';
import { read, root } from './pages.ts';

test('the generated reference pages equal the output of make docs', () => {
  for (const [path, text] of referencePages())
    assert.equal(read(path), text, `${path} is out of date: run make docs`);
});

test('the metrics reference has every metric name of the code', () => {
  const documented = new Set(allMetrics().map(({ name }) => name));
  for (const file of globSync('src/**/*.ts', { cwd: root }))
    for (const [, name = ''] of read(file).matchAll(/['`](bellman_[a-z0-9_]+)['`]/g))
      assert.ok(
        documented.has(name),
        `${file}: ${name} is registered nowhere in scripts/reference/metrics.ts`,
      );
});

/** Names that metrics of MetalLB have, and names that Bellman formed in the same way. */
const irregular: ReadonlySet<string> = new Set(
  [
    ...['allocator_addresses_total', 'allocator_addresses_in_use_total'],
    ...['bgp_announced_prefixes_total', 'bgp_pending_prefixes_total', 'bgp_updates_total_received'],
    ...['opens', 'keepalives', 'notifications', 'route_refresh', 'total'].flatMap((name) => [
      `bgp_${name}_sent`,
      `bgp_${name}_received`,
    ]),
    ...['layer2_requests_received', 'layer2_responses_sent', 'layer2_gratuitous_sent'],
    ...[
      'bfd_control_packet_input',
      'bfd_control_packet_output',
      'bfd_echo_packet_input',
      'bfd_echo_packet_output',
    ],
    ...['bfd_session_up_events', 'bfd_session_down_events'],
  ].map((name) => `bellman_${name}`),
);

test('metrics are named as promtool asks, except those that follow MetalLB', () => {
  for (const { name, type, help, labelNames } of allMetrics()) {
    assert.match(name, /^(bellman|process)(_[a-z0-9]+)+$/);
    assert.doesNotMatch(
      name,
      /_(gauge|counter|histogram|milliseconds|ms|minutes|hours|kilobytes|megabytes|percent)(_|$)/,
    );
    if (type !== 'histogram') assert.doesNotMatch(name, /_(count|sum|bucket)$/);
    assert.ok(help.length > 0 && labelNames.every((label) => /^[a-z_]+$/.test(label)), name);
    if (!irregular.has(name))
      assert.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
  }
  const names = new Set(allMetrics().map(({ name }) => name));
  for (const name of irregular) assert.ok(names.has(name), `${name} exists`);
});

test('logCalls finds level, message, fields and line', () => {
  const source = [
    "logger.info({ node, services: map.size }, 'announcing');",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: source text
    "this.#peerLogger.warn({ reason: `a, ${b ? '}' : ')'}`, ...(ip ? { ip } : {}) }, 'down');",
    "// logger.info('in a comment')",
    "options.logger.debug('bare');",
  ].join('\n');
  assert.deepEqual(logCalls(source), [
    { level: 'info', messages: ['announcing'], fields: ['node', 'services'], line: 1 },
    { level: 'warn', messages: ['down'], fields: ['reason', 'ip'], line: 2 },
    { level: 'debug', messages: ['bare'], fields: [], line: 4 },
  ]);
});

test('logCalls finds each message of a conditional expression, even if a constant holds the expression', () => {
  const source = [
    // biome-ignore lint/suspicious/noTemplateCurlyInString: source text
    "const text = kind === 'new' ? 'accepted' : `back at ${hash}`;",
    'logger.info(details, text);',
    "logger.info({ node }, isDead ? 'lost' : 'left');",
  ].join('\n');
  assert.deepEqual(
    logCalls(source).map(({ messages }) => messages),
    [
      ['accepted', 'back at …'],
      ['lost', 'left'],
    ],
  );
});

test('logCalls is not misled by quotes in regular expressions and comments', () => {
  const source = "const quote = /['\"`]/;\n/* don't */\nlogger.error({ reason }, 'failed');";
  assert.deepEqual(
    logCalls(source).map(({ messages, line }) => [messages, line]),
    [[['failed'], 3]],
  );
});
