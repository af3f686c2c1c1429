import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAnnouncing } from '../../../src/cluster/announcing.ts';
import { annotations } from '../../../src/cluster/names.ts';
import { withinCpuTime } from '../../support/cpu-time.ts';

const parsed = (record: string) => [
  ...parseAnnouncing({ annotations: { [annotations.announcing]: record } }),
];

const records: readonly (readonly [string, string, ReturnType<typeof parsed>])[] = [
  [
    'one line',
    '192.0.2.1=node-1/eth0+eth1',
    [['192.0.2.1', { node: 'node-1', interfaces: ['eth0', 'eth1'] }]],
  ],
  ['a line without interfaces', '192.0.2.1=node-1', [['192.0.2.1', { node: 'node-1', interfaces: [] }]]],
  [
    'a line with white space around it',
    ' 2001:DB8::1=n/e , x',
    [['2001:db8::1', { node: 'n', interfaces: ['e'] }]],
  ],
  [
    'only lines with printable names of a bounded length',
    [
      ...['\u001b[2J', '\u009b2J', '\u202e', '\u2066', '\ud800'].flatMap((text) => [
        `192.0.2.1=node-1/eth0${text}`,
        `192.0.2.2=node${text}/eth0`,
      ]),
      `192.0.2.3=node-1/${'eth0+'.repeat(1000)}`,
      `192.0.2.4=${'n'.repeat(254)}/eth0`,
      '192.0.2.5=node-1/eth0',
    ].join(),
    [['192.0.2.5', { node: 'node-1', interfaces: ['eth0'] }]],
  ],
  ['nothing from malformed lines', '192.0.2.1, =n/e, 192.0.2.1=, 192.0.2.1=a b/e, 1=2=3, ,', []],
];
for (const [name, record, expected] of records)
  test(`parseAnnouncing() reads ${name}`, () => assert.deepEqual(parsed(record), expected));

// A regular expression that takes quadratic time would need many seconds of CPU time for each of these records of 64 KiB. An annotation may hold
// four times as much.
for (const [name, record] of [
  ['white space', ' '.repeat(65_536)],
  ['white space before and behind a character', `${' '.repeat(32_768)}x${' '.repeat(32_768)}`],
  ['hex digits without a separator', 'a'.repeat(65_536)],
  ['equal signs', '='.repeat(65_536)],
] as const)
  test(`parseAnnouncing() takes linear time for a record of ${name}`, () =>
    assert.deepEqual(
      withinCpuTime(1000, () => parsed(record)),
      [],
    ));
