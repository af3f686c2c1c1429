/**
 * Texts that are expensive for other parsers. Most texts are about a mebibyte long, so a parser that needs quadratic time
 * uses more CPU time than the tests allow. `bench/config.ts` measures the times.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../../src/config/index.ts';
import { withinCpuTime } from '../../support/cpu-time.ts';

const mebibyte = 1_048_576;
const filled = (unit: string, head = '') =>
  head + unit.repeat(Math.floor((mebibyte - head.length) / unit.length));
const counted = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => `${line(i)}\n`).join('');
const pool = 'address-pools:\n- name: a\n  protocol: bgp\n';

const refused: readonly (readonly [string, string, RegExp])[] = [
  ['a text of more than 1 MiB', '#'.repeat(mebibyte + 1), /has 1048577 octets; the limit is 1048576/],
  ['fewer than 1,048,576 characters but more octets', '#€'.repeat(mebibyte / 3), /octets; the limit/],
  [
    'an alias bomb of 10^13 values',
    `a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n${counted(12, (i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(10)}]`)}`,
    /more than 200000 values/,
  ],
  [
    'a long chain of aliases',
    `a0: &a0 [x]\n${counted(5000, (i) => `a${i + 1}: &a${i + 1} [*a${i}]`)}`,
    /more than 200000 values/,
  ],
  ...Array.from(
    { length: 6 },
    (_, others) =>
      [
        `an alias that brings too many values, with ${others} values after it in its list`,
        `a: &a [${'x,'.repeat(100_001)}]\nb: [*a${', x'.repeat(others)}]`,
        /more than 200000 values/,
      ] as const,
  ),
  ['a million brackets', filled('['), /nested too deeply/],
  ['a million braces', filled('{'), /nested too deeply/],
  ['dashes in a row', filled('- '), /nested too deeply/],
  ['question marks in a row', filled('? '), /nested too deeply/],
  ['half a million empty items', filled('-\n'), /more than 200000 values/],
  ['flow collections that close at the column of their key', filled('a: [\n]\n'), /more than 200000 values/],
  [
    'flow collections that are never closed, with items at the column of their key',
    filled('a: [\nb,\n'),
    /not valid YAML|nested too deeply/,
  ],
  [
    'dashes in a row, after a bracket that closes at the column of its key',
    filled('- ', 'a: [\nb\n]\nc:\n'),
    /nested too deeply|not valid YAML/,
  ],
  [
    'a long line of words without a colon',
    `a: [\nb\n]\n${filled('a ', 'c')}`.slice(0, mebibyte),
    /expected ':'/,
  ],
  ['pools without any key', `address-pools:\n${'- {}\n'.repeat(199_000)}`, /name is missing/],
  [
    'almost as many wrong items in one list as the limit on values allows',
    `peers: [{node-selectors: [{match-expressions: [${'{},'.repeat(199_000)}]}]}]`,
    /key is missing/,
  ],
  ['anchors without a value, and no dash', `peers: [${'&a,'.repeat(199_000)}]`, /expected/],
  [
    'anchors without a value among words, and one dash at the end',
    `peers: [${'&a,&a,b,'.repeat(66_000)}]\n# -\nx: -1-`,
    /expected/,
  ],
  ['ninety thousand unknown keys', counted(90_000, (i) => `k${i}: 1`), /unknown key k0/],
  ['one key over and over', 'a: 1\n'.repeat(90_000), /this key appears twice/],
  ['merge keys over and over', '<<: a\n'.repeat(90_000), /merge keys are not supported/],
  ['tags over and over', filled('- !x a\n'), /YAML tags are not supported|expected peers/],
  ['__proto__ over and over', '__proto__: 1\n'.repeat(80_000), /__proto__ is not allowed as a key/],
  ['empty documents over and over', '---\n'.repeat(90_000), /a second YAML document/],
  [
    'one peer over and over',
    filled(`- {my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1}\n`, 'peers:\n'),
    /the same session as peers\[0\]/,
  ],
  [
    'one range over and over',
    filled('  - 2001::1-fdff::1\n', `${pool}  bgp-advertisements: [{}]\n  addresses:\n`),
    /overlaps/,
  ],
  [
    'one advertisement over and over',
    filled('  - {}\n', `${pool}  addresses: [192.0.2.0/24]\n  bgp-advertisements:\n`),
    /the same advertisement/,
  ],
  ['a key of a mebibyte', filled('k').replace(/kkk$/, ': 1'), /unknown key "k{63}…"/],
  [
    'a value of a mebibyte',
    filled('1s', 'peers: [{my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1, hold-time: ').replace(/1s$/, '}]'),
    /^"(1s){31}1…" is not a duration like 90s or 1m30s$/,
  ],
  ['a quote that is never closed', filled('"'), /not valid YAML/],
  ['a null byte', 'peers: \0', /not valid YAML: null byte/],
];
for (const [name, text, message] of refused) {
  test(`parseConfig() refuses ${name} at a bounded cost`, () => {
    const result = withinCpuTime(10_000, () => parseConfig(text));
    assert.ok(!result.ok);
    assert.match(
      result.error
        .slice(0, 5)
        .map((error) => error.message)
        .join('\n'),
      message,
    );
    assert.ok(result.error.length <= 1001);
    for (const error of result.error) assert.ok(error.message.length < 600 && error.path.length < 600);
  });
}

test('parseConfig() counts the errors that it does not list', () => {
  const result = parseConfig(counted(1500, (i) => `k${i}: 1`));
  assert.ok(!result.ok);
  assert.equal(result.error.length, 1001);
  assert.deepEqual(result.error.at(-1), {
    path: '',
    line: 1001,
    column: 1,
    message: '500 more errors from here on',
  });
});

test('parseConfig() changes no prototype', () => {
  parseConfig('__proto__: {polluted: true}\nconstructor: {prototype: {polluted: true}}\n');
  parseConfig('bgp-communities: {__proto__: "1:1", constructor: "1:1"}\n');
  assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
});
