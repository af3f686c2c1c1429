/**
 * Checks AddressBook with so many holders of one address that AddressBook keeps them in a `Crowd`. The first test also checks the change to a
 * `Crowd` while holders come, and the change back to an array while they go.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PoolConfig } from '../../../src/config/index.ts';
import { AddressBook } from '../../../src/controller/allocator/address-book.ts';
import { Crowd } from '../../../src/controller/allocator/crowd.ts';
import type { Sharer } from '../../../src/controller/allocator/sharing.ts';
import { ip } from '../../support/addresses.ts';
import { pool } from '../speaker/fixtures.ts';

const address = ip('192.0.2.0');
const count = 20;
const keys = Array.from({ length: count }, (_, i) => `default/s${i}`);

function sharer(service: string, ...ports: readonly number[]): Sharer {
  const [namespace = ''] = service.split('/');
  const terms = { namespace, keys: ['k'], ports: ports.map((port) => `TCP/${port}`), backends: '' };
  return { service, terms };
}

function hold(book: AddressBook, service: string, ...ports: readonly number[]): void {
  const before = book.release(service);
  book.hold(sharer(service, ...ports), [{ address, allocatedFrom: 'a' }], before);
}

/** A book in which each Service in `keys` holds the address, with a port of its own. */
function crowded(): AddressBook {
  const book = new AddressBook([pool('a', ['192.0.2.0/30'])]);
  for (const [i, key] of keys.entries()) hold(book, key, i);
  return book;
}

function withPools(book: AddressBook, ...pools: readonly PoolConfig[]): AddressBook {
  const steps = book.withPools(pools);
  let taken = 0;
  for (let step = steps.next(); ; step = steps.next(), taken++) {
    if (!step.done) continue;
    assert.equal(taken, book.services().length, 'one step for each Service');
    return step.value;
  }
}

const holders = (book: AddressBook) => [...book.holdersOf(address)].map(({ service }) => service).sort();

test('AddressBook keeps every holder of an address, and its seniority, while holders come and go', () => {
  const book = new AddressBook([pool('a', ['192.0.2.0/30'])]);
  const sizes: boolean[] = [];
  for (const [i, key] of keys.entries()) {
    hold(book, key, i);
    sizes.push(book.holdersOf(address) instanceof Crowd);
    assert.deepEqual(holders(book), keys.slice(0, i + 1).sort());
    assert.equal(book.pool('a')?.free(4).free, 3n);
    assert.equal(book.pool('a')?.held('default'), 1);
  }
  assert.deepEqual([sizes[0], sizes.at(-1)], [false, true]);
  for (const [i, key] of keys.entries()) {
    assert.match(book.joinRefusal(address, sharer('default/new', i)) ?? '', new RegExp(`${key}$`));
    const released = book.release(key);
    assert.deepEqual(
      released?.assigned.map(({ seniority }) => seniority),
      [i + 1],
    );
    assert.deepEqual(holders(book), keys.slice(i + 1).sort());
    assert.equal(book.joinRefusal(address, sharer('default/new', i)), undefined);
  }
  assert.equal(book.holdersOf(address) instanceof Crowd, false);
  assert.equal(book.isHeld(address), false);
  assert.equal(book.pool('a')?.free(4).free, 4n);
  assert.equal(book.pool('a')?.held('default'), 0);
});

test('AddressBook displaces the younger ones of twenty holders when an older one takes their ports', () => {
  const book = crowded();
  for (const key of keys) assert.deepEqual(book.displacedBy(key), []);
  hold(book, 'default/s5', 5, 3, 12, 19);
  assert.deepEqual(book.displacedBy('default/s5').sort(), ['default/s12', 'default/s19']);
  assert.deepEqual(book.displacedBy('default/s3'), ['default/s5']);
  assert.deepEqual(book.displacedBy('default/s12'), []);
  assert.deepEqual(book.displacedBy('default/s7'), []);
  const before = book.release('default/s12');
  assert.ok(before);
  assert.match(
    book.keepRefusal(address, before, before) ?? '',
    /port TCP\/12 on it is in use by default\/s5/,
  );
  const senior = book.release('default/s3');
  assert.ok(senior);
  assert.equal(book.keepRefusal(address, senior, senior), undefined);
});

test('AddressBook names an address that twenty holders share with one of another namespace, unless the pool allows it', () => {
  const shared = (book: AddressBook, key: string) =>
    book.sharedAcrossWithoutPermission(key).map((each) => each.address);
  let book = crowded();
  assert.deepEqual(shared(book, 'default/s0'), []);
  hold(book, 'other/guest', 99);
  for (const key of [...keys, 'other/guest']) assert.deepEqual(shared(book, key), [address]);
  assert.ok(book.isHeldIn('other', address));
  assert.ok(!book.isHeldIn('third', address));
  book = withPools(book, pool('a', ['192.0.2.0/30'], { shareAcrossNamespaces: true }));
  assert.deepEqual(shared(book, 'default/s0'), []);
  book = withPools(book, pool('a', ['192.0.2.0/30']));
  book.release('other/guest');
  assert.deepEqual(shared(book, 'default/s0'), []);
});
