import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Figures, format, markdown, quantile, spread, unfinished } from '../../../bench/rivals/figures.ts';
import { page } from '../../../bench/rivals/page.ts';
import { parseArping, parseAsker, parseBgpProtocol } from '../../../bench/rivals/parse.ts';

describe('spread()', () => {
  for (const [figures, text] of [
    [[], '–'],
    [[7], '7 [7..7] n=1'],
    [[424, 383, 420], '420 [383..424] n=3'],
    [[10, 2, 1, 4], '3 [1..10] n=4'],
    [[5174, unfinished, 5434], '5,304 [5,174..5,434] n=2; not finished: 1'],
    [[unfinished, unfinished], 'not finished: 2'],
  ] as const)
    test(`${JSON.stringify(figures)} is ${text}`, () => assert.equal(spread(figures), text));
});

describe('format()', () => {
  for (const [value, text] of [
    [0, '0'],
    [0.0649, '0.06'],
    [9.876, '9.88'],
    [42.04, '42'],
    [42.06, '42.1'],
    [1234.5, '1,235'],
    [Number.POSITIVE_INFINITY, 'none'],
  ] as const)
    test(`${value} is ${text}`, () => assert.equal(format(value), text));
});

describe('quantile()', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  test('the median of 1 to 100 is 50', () => assert.equal(quantile(hundred, 0.5), 50));
  test('the p99 of 1 to 100 is 99', () => assert.equal(quantile(hundred, 0.99), 99));
  test('the p99 of one value is that value', () => assert.equal(quantile([3], 0.99), 3));
  test('an empty list has no quantile', () => assert.ok(Number.isNaN(quantile([], 0.5))));
});

describe('Figures', () => {
  test('a table has the rows in the order in which they were added, and a dash where a system has no figure', () => {
    const figures = new Figures(['A', 'B']);
    figures.add('second', 'B', 2);
    figures.add('first', 'A', 1);
    figures.add('second', 'B', 4);
    assert.equal(
      markdown(figures.table('T', [])),
      ['|  | A | B |', '|---|---|---|', '| second | – | 3 [2..4] n=2 |', '| first | 1 [1..1] n=1 | – |'].join(
        '\n',
      ),
    );
  });

  test('an unknown column is an error', () =>
    assert.throws(() => new Figures(['A']).add('row', 'C', 1), /no column C/));
});

test('page() names its command, the date, the machine, the systems, and for each table the load of the machine', () => {
  const table = { title: 'Start', about: ['One node.'], head: ['', 'A'], rows: [['wall time, s', '1']] };
  const text = page(
    { command: 'make rivals', date: '2026-01-02', machine: 'two cores', systems: ['A 1.0'] },
    [{ table, load: [0.25, 1] }],
  );
  for (const part of [
    '`make rivals` wrote this page on 2026-01-02.',
    '- Machine: two cores',
    '- A 1.0',
    '## Start\nOne node.\nThe load of the machine was 0.3 before and 1.0 at the end.\n\n|  | A |',
  ])
    assert.ok(text.includes(part), part);
});

describe('parseAsker()', () => {
  const output = `kernel: 3000 round trips, median 17 µs, p99 61.5 µs, max 900 µs
bellman: 3000 round trips, median 39 µs, p99 3900 µs, max Infinity µs
load: 160000 requests in 8.0 s (20000/s), answered 57.250 %
OVER a bound
`;
  test('reads the output of bench/neighbour.ts --asker', () =>
    assert.deepEqual(parseAsker(output), {
      kernel: { medianUs: 17, p99Us: 61.5 },
      service: { medianUs: 39, p99Us: 3900 },
      answeredPercent: 57.25,
    }));
  test('an output without figures is an error', () => assert.throws(() => parseAsker(''), /no line/));
});

describe('parseBgpProtocol()', () => {
  test("reads the state and the number of IPv4 routes from BIRD's protocol", () =>
    assert.deepEqual(
      parseBgpProtocol([
        'node_1     BGP        ---        up     01:20:11.123  Established   ',
        '  BGP state:          Established',
        '  Channel ipv4',
        '    Routes:         1000 imported, 0 exported, 1000 preferred',
        '  Channel ipv6',
        '    Routes:         7 imported, 0 exported, 7 preferred',
      ]),
      { isEstablished: true, isWaiting: false, routes: 1000 },
    ));
  test('a session that is down has no routes', () =>
    assert.deepEqual(parseBgpProtocol(['  BGP state:          Active']), {
      isEstablished: false,
      isWaiting: true,
      routes: 0,
    }));
});

describe('parseArping()', () => {
  test('finds the hosts that answered', () => {
    const answer = (mac: string) => `Unicast reply from 192.0.2.150 [${mac}]  0.712ms\n`;
    assert.deepEqual(parseArping(answer('9A:0B:3C:4D:5E:6F') + answer('9A:0B:3C:4D:5E:70')), [
      '9a:0b:3c:4d:5e:6f',
      '9a:0b:3c:4d:5e:70',
    ]);
  });
  test('returns an empty list when no host answered', () =>
    assert.deepEqual(parseArping('Sent 1 probes (1 broadcast(s))\nReceived 0 response(s)\n'), []));
});
