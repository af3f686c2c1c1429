import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { watchLinks } from '../../../src/link/link-watcher.ts';
import type { NetlinkRead } from '../../../src/link/netlink-socket.ts';
import { Guard } from '../../../src/telemetry/guard.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { frame } from '../../support/neighbour-frames.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const datagram = (text: string): NetlinkRead => ({ kind: 'datagram', bytes: frame(text) });
/** RTM_NEWLINK for an Ethernet interface that is up, with index 2 and a name of two characters. */
const link = (name: string) =>
  datagram(
    [
      '34000000100000000000000000000000', // header
      '00000100020000004310010000000000', // fixed part
      `07000300${Buffer.from(name).toString('hex')}0000`,
      '0a00010002000000000b0000', // address
    ].join(''),
  );
const done = datagram('1400000003000200010000001d00000000000000');
/** NLMSG_DONE with NLM_F_DUMP_INTR. */
const interrupted = datagram('1400000003001200010000001d00000000000000');
/** NLMSG_ERROR with EBUSY. */
const refusal = datagram('14000000020000000000000000000000f0ffffff');
const overrun: NetlinkRead = { kind: 'overrun' };
const wholeDump = (name: string) => [link(name), done, done];

/** A watcher whose sockets deliver the given reads, one list for each socket. A socket without a list is refused. */
function setUp(...reads: NetlinkRead[][]) {
  const clock = new VirtualClock();
  const { logger, lines } = memoryLogger();
  const open = new Set<number>();
  let sockets = 0;
  let notify = () => {};
  const openSocket = () => {
    const [number, queue] = [++sockets, reads.shift()];
    if (!queue) throw new Error('no socket');
    open.add(number);
    return {
      send: () => {},
      receive: (): NetlinkRead => queue.shift() ?? { kind: 'empty' },
      onReadable: (callback: () => void) => {
        notify = () => open.has(number) && callback();
      },
      close: () => assert.ok(open.delete(number), `socket ${number} is closed once`),
    };
  };
  const start = () => {
    const links = watchLinks(new Guard({ logger }), { clock, openSocket });
    let changes = 0;
    links.onChange(() => changes++);
    return {
      names: () =>
        links
          .links()
          .map(({ name }) => name)
          .join(),
      changes: () => changes,
      links,
    };
  };
  return { start, reads, open, clock, lines, notify: () => notify() };
}

describe('watchLinks()', () => {
  test('requests everything again when the kernel drops messages during the first dump', () => {
    const { start, open } = setUp([link('e1'), overrun, done, done], wholeDump('e2'));
    assert.equal(start().names(), 'e2');
    assert.deepEqual([...open], [2]);
  });

  test('throws when the kernel drops messages during every dump, and leaves no socket open', () => {
    const { start, open } = setUp(...Array.from({ length: 100 }, () => [overrun, done, done]));
    assert.throws(start, /the kernel dropped messages during each of the last 6 of 10 netlink dumps/);
    assert.equal(open.size, 0);
  });

  test('requests everything again when something changed during the dump, which may then lack a link', () => {
    const { start, open } = setUp([done, interrupted], wholeDump('e2'));
    assert.equal(start().names(), 'e2');
    assert.deepEqual([...open], [2]);
  });

  test('accepts the fifth dump when something changes during every dump', () => {
    const { start, open } = setUp(...Array.from({ length: 100 }, () => [link('e1'), interrupted, done]));
    assert.equal(start().names(), 'e1');
    assert.deepEqual([...open], [5]);
  });

  test('accepts the sixth dump when something changes during every dump and the kernel drops messages during the fifth', () => {
    const change = () => [link('e1'), interrupted, done];
    const { start, open } = setUp(...Array.from({ length: 4 }, change), [overrun, done, done], change());
    assert.equal(start().names(), 'e1');
    assert.deepEqual([...open], [6]);
  });

  test('throws when the first dump is refused, and leaves no socket open', () => {
    const { start, open } = setUp([refusal]);
    assert.throws(start, /netlink dump: EBUSY/);
    assert.equal(open.size, 0);
  });

  test('after an overrun, keeps the known links and tries again until a dump succeeds', () => {
    const first = wholeDump('e1');
    const { start, reads, open, clock, lines, notify } = setUp(first);
    const { names, changes } = start();
    first.push(overrun);
    notify();
    assert.equal(names(), 'e1');
    assert.equal(open.size, 0);
    reads.push([refusal]);
    clock.advance(1000);
    assert.equal(open.size, 0);
    assert.equal(changes(), 0);
    reads.push(wholeDump('e2'));
    clock.advance(1000);
    assert.equal(names(), 'e2');
    assert.equal(changes(), 1);
    assert.equal(open.size, 1);
    assert.ok(lines.some(({ reason }) => String(reason).includes('no socket')));
  });

  test('opens no more sockets once it is closed', () => {
    const first = wholeDump('e1');
    const { start, reads, open, clock, notify } = setUp(first);
    const { links } = start();
    first.push(overrun);
    notify();
    links.close();
    reads.push(wholeDump('e2'));
    clock.advance(10_000);
    assert.equal(open.size, 0);
  });
});
