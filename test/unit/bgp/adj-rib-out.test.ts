import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatPrefix, type Prefix } from '../../../src/address/index.ts';
import { AdjRibOut, type Outgoing } from '../../../src/bgp/rib/adj-rib-out.ts';
import { AttributeTable } from '../../../src/bgp/rib/attribute-table.ts';
import { PrefixTable } from '../../../src/bgp/rib/prefix-table.ts';
import type { RouteAttributes } from '../../../src/bgp/speaker-api.ts';
import { prefix } from '../../support/addresses.ts';

const plain: RouteAttributes = { asPathPrepend: 0, communities: [], largeCommunities: [] };
const preferred: RouteAttributes = { ...plain, med: 5 };
const a = prefix('198.51.100.1/32');
const b = prefix('198.51.100.2/32');
const c = prefix('2001:db8::1/128');

interface Fixture {
  readonly prefixes: PrefixTable;
  readonly attributes: AttributeTable;
  readonly rib: AdjRibOut;
  /** Empties the queue, in messages of at most `room` prefixes. */
  drain(room?: number): string[];
}

function fixture(): Fixture {
  const prefixes = new PrefixTable();
  const attributes = new AttributeTable();
  const rib = new AdjRibOut(prefixes, attributes);
  const text = (outgoing: Outgoing, room: number): string => {
    if (outgoing.kind !== 'announce' && outgoing.kind !== 'withdraw')
      return `${outgoing.kind} ${outgoing.family}`;
    const taken: string[] = [];
    for (
      let id = outgoing.prefixes.peek();
      id !== undefined && taken.length < room;
      id = outgoing.prefixes.peek()
    ) {
      taken.push(formatPrefix(prefixes.prefix(id)));
      outgoing.prefixes.take();
    }
    const med = outgoing.kind === 'announce' ? `med ${attributes.get(outgoing.attributes).med ?? '-'} ` : '';
    return `${outgoing.kind} ${med}${taken.join(' ')}`;
  };
  return {
    prefixes,
    attributes,
    rib,
    drain(room = Number.POSITIVE_INFINITY) {
      const messages: string[] = [];
      for (let outgoing = rib.next(); outgoing; outgoing = rib.next()) messages.push(text(outgoing, room));
      return messages;
    },
  };
}

describe('AdjRibOut', () => {
  test('groups prefixes by attribute set, and sends End-of-RIB once all routes are known', () => {
    const { rib, drain } = fixture();
    rib.announce(a, plain);
    rib.announce(c, plain);
    rib.announce(b, { ...plain });
    rib.up([4, 6], false);
    assert.deepEqual(drain(), [
      'announce med - 198.51.100.1/32 198.51.100.2/32',
      'announce med - 2001:db8::1/128',
    ]);
    rib.synced();
    assert.deepEqual(drain(), ['end-of-rib 4', 'end-of-rib 6']);
    assert.deepEqual(drain(), []);
  });

  test('sends prefixes with equal attributes in several messages when they do not fit into one', () => {
    const { rib, drain } = fixture();
    rib.announce(a, plain);
    rib.announce(b, plain);
    rib.up([4], false);
    assert.deepEqual(drain(1), ['announce med - 198.51.100.1/32', 'announce med - 198.51.100.2/32']);
  });

  test('replaces a queued change with a newer one', () => {
    const { rib, drain } = fixture();
    rib.up([4], false);
    rib.announce(a, plain);
    rib.announce(a, preferred);
    assert.equal(rib.queuedCount, 1);
    assert.deepEqual(drain(), ['announce med 5 198.51.100.1/32']);
    rib.withdraw(a);
    rib.announce(a, preferred);
    assert.deepEqual(drain(), [], 'a change that undoes a queued change removes it from the queue');
    rib.announce(b, plain);
    rib.withdraw(b);
    assert.deepEqual(drain(), [], 'a route that the peer never had is not withdrawn');
  });

  test('does not send the same route twice', () => {
    const { rib, drain } = fixture();
    rib.up([4], false);
    rib.announce(a, plain);
    drain();
    rib.announce(a, { ...plain, communities: [] });
    assert.deepEqual(drain(), []);
  });

  test('sends withdrawals before announcements', () => {
    const { rib, drain } = fixture();
    rib.up([4, 6], false);
    rib.announce(a, plain);
    rib.announce(c, plain);
    drain();
    rib.announce(b, plain);
    rib.withdraw(c);
    assert.deepEqual(drain(), ['withdraw 2001:db8::1/128', 'announce med - 198.51.100.2/32']);
  });

  test('sends no routes of a family that the session does not carry', () => {
    const { rib, drain } = fixture();
    rib.up([6], false);
    rib.synced();
    rib.announce(a, plain);
    rib.announce(c, plain);
    assert.deepEqual(drain(), ['announce med - 2001:db8::1/128', 'end-of-rib 6']);
  });

  test('sends all current routes to a new session', () => {
    const { rib, drain } = fixture();
    rib.synced();
    rib.announce(a, plain);
    rib.up([4], false);
    drain();
    rib.down();
    rib.withdraw(a);
    rib.announce(b, plain);
    rib.up([4], false);
    assert.deepEqual(drain(), ['announce med - 198.51.100.2/32', 'end-of-rib 4']);
  });

  test('carry() sends the routes of a family once the session can carry the family, and withdraws them once it cannot', () => {
    const { rib, drain } = fixture();
    rib.announce(a, plain);
    rib.announce(c, plain);
    rib.synced();
    rib.up([4], false);
    assert.deepEqual(drain(), ['announce med - 198.51.100.1/32', 'end-of-rib 4']);
    rib.carry(6, true);
    assert.deepEqual(drain(), ['announce med - 2001:db8::1/128', 'end-of-rib 6']);
    rib.carry(6, false);
    rib.refresh(6);
    assert.deepEqual(drain(), ['withdraw 2001:db8::1/128']);
    rib.announce(c, { ...plain, med: 7 });
    assert.deepEqual(drain(), []);
    rib.carry(6, true);
    assert.deepEqual(drain(), ['announce med 7 2001:db8::1/128']);
  });

  test('without endWithout(), a family gets no End-of-RIB while the session does not carry the family', () => {
    const { rib, drain } = fixture();
    rib.announce(c, plain);
    rib.up([4], false);
    rib.carry(6, false);
    rib.inherit(prefix('2001:db8::9/128'));
    rib.synced();
    assert.deepEqual(drain(), ['withdraw 2001:db8::9/128', 'end-of-rib 4']);
    rib.carry(6, true);
    assert.deepEqual(drain(), ['announce med - 2001:db8::1/128', 'end-of-rib 6']);
  });

  for (const isInherited of [false, true])
    test(`endWithout() sends one End-of-RIB of a family that the session does not carry${isInherited ? ', after the withdrawals' : ''}`, () => {
      const { rib, drain } = fixture();
      rib.announce(c, plain);
      rib.up([4], false);
      rib.endWithout(4);
      rib.endWithout(6);
      assert.deepEqual(drain(), [], 'the desired routes are not complete');
      if (isInherited) rib.inherit(prefix('2001:db8::9/128'));
      rib.synced();
      const withdrawn = isInherited ? ['withdraw 2001:db8::9/128'] : [];
      assert.deepEqual(drain(), [...withdrawn, 'end-of-rib 4', 'end-of-rib 6']);
      rib.endWithout(6);
      assert.deepEqual(drain(), []);
      rib.carry(6, true);
      assert.deepEqual(drain(), ['announce med - 2001:db8::1/128']);
      rib.up([4], false);
      assert.deepEqual(drain(), ['end-of-rib 4'], 'the next session waits for the next hop again');
    });

  test('resend() sends the routes of only one family again', () => {
    const { rib, drain } = fixture();
    rib.announce(a, plain);
    rib.announce(c, plain);
    rib.up([4, 6], true);
    drain();
    rib.resend(6);
    assert.deepEqual(drain(), ['announce med - 2001:db8::1/128']);
  });

  test('refuse() also withdraws a route that the peer already holds with the refused attributes', () => {
    const { rib, drain } = fixture();
    rib.up([4], false);
    rib.announce(a, plain);
    drain();
    rib.announce(b, plain);
    const outgoing = rib.next();
    assert.ok(outgoing?.kind === 'announce');
    rib.refuse(4, outgoing.attributes);
    assert.equal(rib.refusedCount, 2);
    rib.resend(4);
    assert.deepEqual(drain(), ['withdraw 198.51.100.1/32']);
    rib.announce(a, preferred);
    assert.equal(rib.refusedCount, 1);
    assert.deepEqual(drain(), ['announce med 5 198.51.100.1/32']);
  });

  describe('inherit()', () => {
    test('withdraws a desired route that the session cannot carry', () => {
      const { rib, drain } = fixture();
      rib.announce(c, plain);
      rib.up([4], false);
      rib.inherit(c);
      assert.equal(rib.sentCount, 1);
      assert.deepEqual(drain(), ['withdraw 2001:db8::1/128']);
      assert.equal(rib.sentCount, 0);
    });

    test('withdraws a desired route whose attributes were refused', () => {
      const { rib, drain } = fixture();
      rib.up([4], false);
      rib.announce(a, plain);
      const outgoing = rib.next();
      assert.ok(outgoing?.kind === 'announce');
      rib.refuse(4, outgoing.attributes);
      rib.inherit(a);
      assert.deepEqual(drain(), ['withdraw 198.51.100.1/32']);
    });

    test('counts a desired route as sent, so the route can be withdrawn before this process has sent its own version', () => {
      const { rib, drain } = fixture();
      rib.up([4], false);
      rib.announce(a, plain);
      rib.announce(b, plain);
      rib.inherit(a);
      rib.inherit(b);
      assert.equal(rib.sentCount, 2);
      rib.withdraw(a);
      assert.deepEqual(drain(), ['withdraw 198.51.100.1/32', 'announce med - 198.51.100.2/32']);
      assert.equal(rib.sentCount, 1);
    });
  });

  describe('refresh()', () => {
    test('sends the routes of the family again', () => {
      const { rib, drain } = fixture();
      rib.synced();
      rib.up([4, 6], false);
      rib.announce(a, plain);
      rib.announce(c, plain);
      drain();
      rib.refresh(6);
      assert.deepEqual(drain(), ['announce med - 2001:db8::1/128']);
    });

    test('sends Begin and End marks to a peer that supports them (RFC 7313), and refreshes once more when requests arrive during a refresh', () => {
      const { rib, drain } = fixture();
      rib.synced();
      rib.up([4], true);
      rib.announce(a, plain);
      drain();
      rib.refresh(4);
      rib.refresh(4);
      assert.deepEqual(drain(), ['refresh-begin 4', 'announce med - 198.51.100.1/32', 'refresh-end 4']);
      rib.refresh(4);
      assert.equal(rib.next()?.kind, 'refresh-begin');
      rib.refresh(4);
      rib.refresh(4);
      assert.deepEqual(drain(), [
        'announce med - 198.51.100.1/32',
        'refresh-end 4',
        'refresh-begin 4',
        'announce med - 198.51.100.1/32',
        'refresh-end 4',
      ]);
    });

    test('sends no marks before End-of-RIB', () => {
      const { rib, drain } = fixture();
      rib.up([4], true);
      rib.announce(a, plain);
      drain();
      rib.refresh(4);
      assert.deepEqual(drain(), ['announce med - 198.51.100.1/32']);
    });

    test('does not lose the withdrawal of a prefix that is queued for the refresh', () => {
      const { rib, drain } = fixture();
      rib.up([4], false);
      rib.announce(a, plain);
      drain();
      rib.refresh(4);
      rib.withdraw(a);
      assert.deepEqual(drain(), ['withdraw 198.51.100.1/32']);
    });
  });

  test('gives each peer exactly the desired routes after any sequence of changes, and empties the tables once all routes are withdrawn', () => {
    const texts = [
      '10.0.0.0/8',
      '10.0.0.0/9',
      '10.0.0.1/32',
      '0.0.0.0/0',
      '2001:db8::/64',
      '2001:db8::/65',
      '::/0',
    ];
    const operation = fc.oneof(
      fc.record({
        kind: fc.constant('announce' as const),
        prefix: fc.constantFrom(...texts),
        med: fc.integer({ min: 0, max: 2 }),
      }),
      fc.record({
        kind: fc.constantFrom('withdraw' as const, 'inherit' as const),
        prefix: fc.constantFrom(...texts),
      }),
      fc.record({
        kind: fc.constantFrom(
          'up' as const,
          'down' as const,
          'refresh' as const,
          'take' as const,
          'refuse' as const,
          'withhold' as const,
          'carry' as const,
          'resend' as const,
        ),
      }),
    );
    const peers = fc.array(fc.tuple(fc.integer({ min: 0, max: 1 }), operation), {
      maxLength: 80,
      size: 'max',
    });
    fc.assert(
      fc.property(peers, (operations) => {
        const prefixes = new PrefixTable();
        const attributes = new AttributeTable();
        const ends = [0, 1].map(() => ({
          rib: new AdjRibOut(prefixes, attributes),
          isUp: false,
          desired: new Map<string, number>(),
          held: new Map<string, number>(),
        }));
        for (const [which, one] of operations) {
          const end = ends[which] as (typeof ends)[number];
          const { rib, desired, held } = end;
          switch (one.kind) {
            case 'announce':
              rib.announce(prefix(one.prefix), { ...plain, med: one.med });
              desired.set(one.prefix, one.med);
              break;
            case 'withdraw':
              rib.withdraw(prefix(one.prefix));
              desired.delete(one.prefix);
              break;
            case 'inherit':
              if (!end.isUp) break;
              rib.inherit(prefix(one.prefix));
              if (!held.has(one.prefix)) held.set(one.prefix, -2);
              break;
            case 'refresh':
              rib.refresh(4);
              rib.refresh(6);
              break;
            case 'up':
            case 'down':
              held.clear();
              end.isUp = one.kind === 'up';
              if (one.kind === 'up') rib.up([4, 6], true);
              else rib.down();
              break;
            case 'withhold':
            case 'carry':
              if (end.isUp) rib.carry(6, one.kind === 'carry');
              break;
            case 'resend':
              rib.resend(4);
              break;
            case 'take':
              receive(rib.next(), held);
              break;
            case 'refuse': {
              const outgoing = rib.next();
              if (outgoing?.kind === 'announce') rib.refuse(outgoing.family, outgoing.attributes);
            }
          }
        }
        for (const { rib, desired, held, isUp } of ends) {
          const drain = () => {
            for (let outgoing = rib.next(); outgoing; outgoing = rib.next())
              receive(outgoing, held, Infinity);
          };
          const { refusedCount } = rib;
          if (isUp) rib.carry(6, true);
          drain();
          for (const [text, med] of held)
            assert.equal(desired.get(text), med, 'the peer holds an older version');
          assert.equal(rib.sentCount, held.size);
          if (isUp) assert.equal(held.size, desired.size - refusedCount);
          rib.up([4, 6], false);
          held.clear();
          drain();
          assert.deepEqual([...held].sort(), [...desired].sort());
          assert.equal(rib.desiredCount, desired.size);
          assert.equal(rib.sentCount, desired.size);
          rib.down();
          rib.withdrawAll();
        }
        assert.equal(prefixes.size, 0);
        assert.equal(attributes.size, 0);

        function receive(outgoing: Outgoing | undefined, held: Map<string, number>, room = 2): void {
          if (outgoing?.kind !== 'announce' && outgoing?.kind !== 'withdraw') return;
          for (let i = 0; i < room; i++) {
            const id = outgoing.prefixes.peek();
            if (id === undefined) return;
            const text = formatPrefix(prefixes.prefix(id));
            if (outgoing.kind === 'withdraw')
              assert.ok(held.delete(text), 'a route that the peer does not hold is withdrawn');
            else held.set(text, attributes.get(outgoing.attributes).med ?? -1);
            outgoing.prefixes.take();
          }
        }
      }),
      { numRuns: 400 },
    );
  });
});

describe('PrefixTable', () => {
  const anyPrefix = fc.oneof(
    fc.tuple(
      fc.constant(4 as const),
      fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }),
      fc.integer({ min: 0, max: 32 }),
    ),
    fc.tuple(
      fc.constant(6 as const),
      fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
      fc.integer({ min: 0, max: 128 }),
    ),
  );

  test('returns each prefix by its number, and reuses free numbers', () => {
    fc.assert(
      fc.property(fc.array(anyPrefix, { minLength: 1, maxLength: 300, size: 'max' }), (all) => {
        const table = new PrefixTable();
        const given = all.map(([family, value, length]): Prefix => {
          const host = BigInt((family === 4 ? 32 : 128) - length);
          return { family, value: (value >> host) << host, length };
        });
        const ids = given.map((one) => table.acquire(one));
        for (const [i, id] of ids.entries()) {
          assert.deepEqual(table.prefix(id), given[i]);
          assert.equal(table.find(given[i] as Prefix), id);
        }
        assert.equal(new Set(ids).size, new Set(given.map(formatPrefix)).size);
        for (const id of ids) table.release(id);
        assert.equal(table.size, 0);
        table.acquire(a);
        assert.ok((table.find(a) ?? Infinity) < ids.length);
      }),
    );
  });

  test('writes NLRI (RFC 4271 section 4.3)', () => {
    const rows: readonly (readonly [string, string])[] = [
      ['0.0.0.0/0', '00'],
      ['10.0.0.0/8', '080a'],
      ['10.128.0.0/9', '090a80'],
      ['198.51.100.7/32', '20c6336407'],
      ['2001:db8::/33', '2120010db800'],
      ['2001:db8::1/128', '8020010db8000000000000000000000001'],
    ];
    const table = new PrefixTable();
    for (const [text, hex] of rows) {
      const id = table.acquire(prefix(text));
      const bytes = new Uint8Array(32);
      const end = table.write(id, bytes, 3);
      assert.equal(Buffer.from(bytes.subarray(3, end)).toString('hex'), hex, text);
      assert.equal(table.wireLength(id), end - 3);
    }
  });
});
