import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SolicitedNodeGroups } from '../../../src/ndp/solicited-node-groups.ts';
import { ip } from '../../support/addresses.ts';
import { hex } from '../../support/neighbour-frames.ts';

/** A group socket in memory. Like the kernel, it fails when a group is joined twice. */
class MemoryGroupSocket {
  readonly joined = new Set<string>();
  refuses = false;

  join(group: Uint8Array, index: number): boolean {
    if (this.refuses) return false;
    const key = `${index} ${hex(group)}`;
    assert.ok(!this.joined.has(key), `joined twice: ${key}`);
    this.joined.add(key);
    return true;
  }

  leave(group: Uint8Array, index: number): void {
    assert.ok(this.joined.delete(`${index} ${hex(group)}`), 'left a group that was not joined');
  }

  close(): void {}
}

test('SolicitedNodeGroups joins a shared group once and leaves it when its last address is removed', () => {
  const socket = new MemoryGroupSocket();
  const groups = new SolicitedNodeGroups(socket, 7);
  groups.add(ip('2001:db8::1:2345'));
  groups.add(ip('2001:db8:1::1:2345'));
  groups.add(ip('2001:db8:1::1:2345'));
  assert.deepEqual([...socket.joined], ['7 ff0200000000000000000001ff012345']);
  groups.remove(ip('2001:db8::1:2345'));
  groups.remove(ip('2001:db8::1:2345'));
  assert.equal(socket.joined.size, 1);
  groups.remove(ip('2001:db8:1::1:2345'));
  assert.equal(socket.joined.size, 0);
});

test('SolicitedNodeGroups tries to join a refused group again at the next add()', () => {
  const socket = new MemoryGroupSocket();
  const groups = new SolicitedNodeGroups(socket, 7);
  socket.refuses = true;
  assert.equal(groups.add(ip('2001:db8::1')), false);
  socket.refuses = false;
  assert.equal(groups.add(ip('2001:db8::1')), true);
  assert.equal(socket.joined.size, 1);
});

test('SolicitedNodeGroups has joined exactly the groups of its addresses after any sequence of changes', () => {
  const step = fc.record({
    host: fc.integer({ min: 0, max: 5 }),
    net: fc.integer({ min: 0, max: 2 }),
    add: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const socket = new MemoryGroupSocket();
      const groups = new SolicitedNodeGroups(socket, 1);
      const present = new Set<string>();
      for (const { host, net, add } of steps) {
        const text = `2001:db8:${net}::${host}`;
        if (add) {
          groups.add(ip(text));
          present.add(text);
        } else {
          groups.remove(ip(text));
          present.delete(text);
        }
        const groupOf = (address: string) => `1 ff0200000000000000000001ff00000${address.at(-1)}`;
        assert.deepEqual(socket.joined, new Set([...present].map(groupOf)));
      }
      groups.clear();
      assert.equal(socket.joined.size, 0);
    }),
  );
});
