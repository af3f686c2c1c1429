import assert from 'node:assert/strict';
import { test } from 'node:test';
import raw from 'raw-socket';
import { openGroupSocket } from '../../../src/ndp/group-socket.ts';

const group = Uint8Array.from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1]);
const IPV6_JOIN_GROUP = 20;
const IPV6_LEAVE_GROUP = 21;

/** Stands in for the kernel. Each of its sockets can join `room` groups. */
class Kernel {
  /** The open sockets, with the number of groups that each has joined. */
  readonly open = new Set<{ joined: number }>();
  /** The socket of each call to leave a group, in order. Failed calls count too. */
  readonly left: { joined: number }[] = [];
  room = 1;
  opens = true;
  filters = true;

  createSocket() {
    if (!this.opens) throw new Error('too many open files');
    const socket = { joined: 0 };
    this.open.add(socket);
    return {
      setOption: (_level: number, option: number) => {
        if (option === IPV6_LEAVE_GROUP) {
          this.left.push(socket);
          if (socket.joined === 0) throw new Error('address not available');
          socket.joined--;
          return;
        }
        if (option !== IPV6_JOIN_GROUP) {
          if (!this.filters) throw new Error('no filter');
          return;
        }
        if (socket.joined === this.room) throw new Error('out of memory');
        socket.joined++;
      },
      pauseRecv: () => {},
      on: () => {},
      close: () => void this.open.delete(socket),
    };
  }
}

function setUp(t: { mock: typeof import('node:test').mock }) {
  const kernel = new Kernel();
  t.mock.method(raw, 'createSocket', () => kernel.createSocket());
  const refusals: string[] = [];
  return { kernel, refusals, socket: openGroupSocket((reason) => refusals.push(reason)) };
}

test('GroupSocket opens another socket when the first socket is full', (t) => {
  const { kernel, refusals, socket } = setUp(t);
  assert.ok(socket.join(group, 1) && socket.join(group, 2));
  assert.deepEqual([kernel.open.size, refusals], [2, []]);
});

test('GroupSocket refuses a group when no further socket can be opened', (t) => {
  const { kernel, refusals, socket } = setUp(t);
  assert.ok(socket.join(group, 1));
  kernel.opens = false;
  assert.equal(socket.join(group, 2), false);
  assert.deepEqual(refusals, ['too many open files']);
  kernel.opens = true;
  assert.ok(socket.join(group, 2));
});

test('GroupSocket reports a refusal on an interface only when its reason differs from the last one, or after a join there', (t) => {
  const { kernel, refusals, socket } = setUp(t);
  kernel.room = 0;
  for (let i = 1; i <= 3; i++) for (const each of [1, 2]) assert.equal(socket.join(group, each), false);
  assert.deepEqual(refusals.splice(0), ['out of memory', 'out of memory']);
  kernel.room = 1;
  assert.ok(socket.join(group, 1));
  kernel.opens = false;
  for (let i = 1; i <= 3; i++) for (const each of [1, 2]) socket.join(group, each);
  assert.deepEqual(refusals, ['too many open files', 'too many open files']);
});

test('GroupSocket closes a further socket that cannot join the group or set the filter', (t) => {
  const { kernel, refusals, socket } = setUp(t);
  kernel.room = 0;
  assert.equal(socket.join(group, 1), false);
  assert.equal(kernel.open.size, 1);
  kernel.filters = false;
  assert.equal(socket.join(group, 1), false);
  assert.equal(kernel.open.size, 1);
  assert.deepEqual(refusals, ['out of memory', 'no filter']);
});

test('GroupSocket leaves a group once, on the socket that joined it', (t) => {
  const { kernel, refusals, socket } = setUp(t);
  assert.ok(socket.join(group, 1) && socket.join(group, 2));
  const [first, second] = kernel.open;
  socket.leave(group, 1);
  socket.leave(group, 1);
  socket.leave(group, 3);
  assert.deepEqual([first?.joined, second?.joined], [0, 1]);
  assert.deepEqual(kernel.left, [first]);
  socket.leave(group, 2);
  assert.equal(kernel.left[1], second);
  assert.deepEqual(refusals, []);
});

test('GroupSocket can leave a group that the kernel has dropped, and join it again', (t) => {
  const { kernel, socket } = setUp(t);
  assert.ok(socket.join(group, 1));
  for (const each of kernel.open) each.joined = 0;
  socket.leave(group, 1);
  assert.equal(kernel.left.length, 1);
  assert.ok(socket.join(group, 1));
  assert.equal(kernel.open.size, 1);
});

test('GroupSocket closes all its sockets and forgets their groups', (t) => {
  const { kernel, socket } = setUp(t);
  assert.ok(socket.join(group, 1) && socket.join(group, 2));
  socket.close();
  assert.equal(kernel.open.size, 0);
  socket.leave(group, 1);
  assert.deepEqual(kernel.left, []);
});

test('openGroupSocket() leaves no socket open and throws when the system refuses the filter', (t) => {
  const kernel = new Kernel();
  kernel.filters = false;
  t.mock.method(raw, 'createSocket', () => kernel.createSocket());
  assert.throws(() => openGroupSocket(() => {}), /no filter/);
  assert.equal(kernel.open.size, 0);
});
