import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Verdicts } from '../../../../src/layer2/witness/verdicts.ts';

const addresses = Array.from({ length: 20 }, (_, i) => `192.0.2.${i + 1}`);
const [first = '', ...others] = addresses;
const minuteMs = 60_000;

/** The verdicts of a node with 20 mute addresses. Call `judge` with those for which a witness gets answers. */
function setUp() {
  const verdicts = new Verdicts();
  const judge = (nowMs: number, answered: readonly string[], unlinked: readonly string[] = []) =>
    verdicts
      .judge(
        {
          opinions: new Map([['a', { unanswered: new Set<string>(), answered: new Set(answered) }]]),
          own: [],
          isWitnessed: () => false,
          isCarried: (address) => !unlinked.includes(address),
          canHandOver: true,
          isStarved: false,
        },
        nowMs,
      )
      .map(({ address }) => address);
  const none = { unanswered: new Set(addresses), answered: new Set<string>() };
  const input = {
    opinions: new Map([
      ['a', none],
      ['b', none],
    ]),
    own: addresses.map((address) => ({
      address,
      witnesses: ['a', 'b'],
      sinceMs: -minuteMs,
      hasSuccessor: true,
    })),
    isWitnessed: () => true,
    isCarried: () => true,
    canHandOver: true,
    isStarved: false,
  };
  for (const nowMs of [-5000, 0]) verdicts.judge(input, nowMs);
  judge(1, []);
  return { verdicts, judge };
}

test('Verdicts of a node that is mute for all addresses end when a witness gets answers for 16 of them, one after another', () => {
  const { verdicts, judge } = setUp();
  assert.deepEqual([...verdicts.mute()], ['*', ...addresses.slice(0, 16)]);
  assert.deepEqual(judge(minuteMs, addresses.slice(0, 3)), []);
  assert.deepEqual(
    [...verdicts.mute()].slice(0, 4),
    ['*', ...addresses.slice(3, 6)],
    'others take their turn',
  );
  assert.deepEqual(judge(2 * minuteMs, addresses.slice(3, 15)), []);
  assert.deepEqual(judge(3 * minuteMs, addresses.slice(15, 16)), addresses);
  assert.deepEqual([...verdicts.mute()], []);
});

test('a node that is mute for all addresses need not be heard for an address that has lost its link: the verdicts on the other addresses end', () => {
  const { verdicts, judge } = setUp();
  assert.deepEqual(judge(minuteMs, others.slice(0, 15), [first]), []);
  assert.deepEqual(judge(2 * minuteMs, others.slice(15), [first]), others);
  assert.deepEqual([...verdicts.mute()], [first]);
  assert.deepEqual(judge(3 * minuteMs, [first]), [first]);
});

test('a node that is mute for all addresses names only 16 after a minute without a link for any, until it has a link for more than 16', () => {
  const { verdicts, judge } = setUp();
  assert.deepEqual(judge(minuteMs, [], addresses), []);
  assert.ok(verdicts.mute().has('*'), 'links may flap');
  assert.equal(verdicts.wakeAtMs(minuteMs), 2 * minuteMs);
  assert.deepEqual(judge(2 * minuteMs, [], addresses), []);
  assert.deepEqual([...verdicts.mute()], addresses.slice(0, 16));
  assert.deepEqual(judge(3 * minuteMs, []), []);
  assert.ok(verdicts.mute().has('*'));
});
