import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AddressEntry, SourcedEntry } from '../../../src/layer2/address-entry.ts';
import { EntryIntake } from '../../../src/layer2/entry-intake.ts';
import { Turns } from '../../../src/turns.ts';
import { BusyClock } from '../../support/busy-clock.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

function fixture(clock = new VirtualClock()) {
  const lines: string[] = [];
  const shown = ({ address, candidates }: AddressEntry) => `${address} ${candidates.join('+')}`;
  const intake = new EntryIntake({
    clock,
    turns: new Turns(clock),
    onTable: (entries) => lines.push(`table ${entries.map(shown).join(', ')}`),
    onChange: ({ upsert, remove }) =>
      lines.push(
        `change ${[...upsert.map(shown), ...remove.map(({ address }) => `-${address}`)].join(', ')}`,
      ),
  });
  return { clock, intake, take: () => lines.splice(0) };
}

const entry = (address: string): SourcedEntry => ({
  address,
  group: 'web',
  sources: [1],
  observedVersion: 1,
});
const set = (...candidates: string[]) => ({
  ...{ set: 1, observedVersion: 1, remove: [] },
  put: { candidates, interfaces: [] },
});
const nothing = { sets: [], upsert: [], remove: [] };

describe('EntryIntake', () => {
  test('passes a table on when its last part arrives, and fills in the nodes of each candidate set', () => {
    const { intake, take } = fixture();
    intake.take({
      kind: 'table',
      sets: [set('a', 'b')],
      upsert: [entry('192.0.2.1')],
      remove: [],
      hasMore: true,
    });
    assert.deepEqual(take(), []);
    intake.take({ ...nothing, kind: 'table', upsert: [entry('192.0.2.2')], isContinued: true });
    assert.deepEqual(take(), ['table 192.0.2.1 a+b, 192.0.2.2 a+b']);
  });

  test('passes the first change on at once, and the changes of the next 50 ms together', () => {
    const { clock, intake, take } = fixture();
    clock.advance(1000);
    intake.take({ kind: 'change', sets: [set('a')], upsert: [entry('192.0.2.1')], remove: [] });
    assert.deepEqual(take(), ['change 192.0.2.1 a']);
    intake.take({ ...nothing, kind: 'change', upsert: [entry('192.0.2.2')] });
    intake.take({ ...nothing, kind: 'change', remove: [{ address: '192.0.2.1', observedVersion: 2 }] });
    assert.deepEqual(take(), []);
    clock.advance(50);
    assert.deepEqual(take(), ['change 192.0.2.2 a, -192.0.2.1']);
  });

  test('reports the entries that name a set when the set changes', () => {
    const { clock, intake, take } = fixture();
    intake.take({ kind: 'table', sets: [set('a')], upsert: [entry('192.0.2.1')], remove: [] });
    take();
    intake.take({ ...nothing, kind: 'change', sets: [set('b')] });
    clock.advance(50);
    assert.deepEqual(take(), ['change 192.0.2.1 a+b']);
  });

  test('passes an entry on once, however many changes of its set arrive in 50 ms', () => {
    const { clock, intake, take } = fixture();
    clock.advance(1000);
    intake.take({ kind: 'table', sets: [set('a')], upsert: [entry('192.0.2.1')], remove: [] });
    intake.take({ ...nothing, kind: 'change', sets: [set('b')] });
    take();
    for (const node of ['c', 'd', 'e']) intake.take({ ...nothing, kind: 'change', sets: [set(node)] });
    assert.deepEqual(take(), []);
    clock.advance(50);
    assert.deepEqual(take(), ['change 192.0.2.1 a+b+c+d+e']);
  });

  test('drops pending changes when a table arrives, and on cancel()', () => {
    const { clock, intake, take } = fixture();
    intake.take({ kind: 'change', sets: [set('a')], upsert: [entry('192.0.2.1')], remove: [] });
    intake.take({ ...nothing, kind: 'change', upsert: [entry('192.0.2.2')] });
    intake.take({ kind: 'table', sets: [set('b')], upsert: [entry('192.0.2.3')], remove: [] });
    take();
    clock.advance(50);
    assert.deepEqual(take(), ['change '], 'no entry is left in the change');
    intake.take({ ...nothing, kind: 'change', upsert: [entry('192.0.2.4')] });
    intake.cancel();
    clock.advance(1000);
    assert.deepEqual(take(), []);
  });

  test('resolves thousands of entries in slices, and passes messages on in their order', () => {
    const clock = new BusyClock();
    const { intake, take } = fixture(clock);
    const upsert = Array.from({ length: 2000 }, (_, i) => entry(`10.0.${i >> 8}.${i & 255}`));
    intake.take({ kind: 'table', sets: [set('a')], upsert, remove: [] });
    intake.take({ ...nothing, kind: 'change', sets: [set('b')] });
    assert.deepEqual(take(), []);
    clock.advance(100);
    const lines = take();
    assert.ok(clock.turns > 20, `${clock.turns} turns`);
    assert.equal(lines.length, 2);
    assert.match(lines[0] ?? '', /^table 10\.0\.0\.0 a,/);
    assert.match(lines[1] ?? '', /^change 10\.0\.0\.0 a\+b,.* 10\.0\.7\.207 a\+b$/);
  });
});
