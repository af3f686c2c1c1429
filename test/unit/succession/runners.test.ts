/** Runs predecessor and successor in one process, over a real local socket. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import koffi from 'koffi';
import * as libc from '../../../src/linux/libc.ts';
import { AF_UNIX, encodeSocketPath } from '../../../src/linux/socket-address.ts';
import { fail, ok, type Result } from '../../../src/result.ts';
import { Channel, connectChannel, listenChannel } from '../../../src/succession/channel.ts';
import {
  type Passable,
  type PassedOn,
  PredecessorRunner,
} from '../../../src/succession/predecessor-runner.ts';
import { greeting } from '../../../src/succession/successor.ts';
import { connectToPredecessor } from '../../../src/succession/successor-runner.ts';
import { FlightRecorder } from '../../../src/telemetry/flight-recorder.ts';
import { Guard } from '../../../src/telemetry/guard.ts';
import { eventually } from '../../support/eventually.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const SOCK_SEQPACKET = 5;

describe('succession over a local socket', () => {
  let folder = '';
  let path = '';
  let count = 0;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'bellman-succession-'));
  });
  beforeEach(() => {
    path = join(folder, `${++count}.socket`);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function serving(items: readonly PassedOn[] = [{ octets: Uint8Array.of(1) }]) {
    const clock = new VirtualClock();
    const { logger, lines } = memoryLogger();
    const recorder = new FlightRecorder({ clock });
    const calls: string[] = [];
    const passable: Passable = {
      items,
      letGo: async () => void calls.push('let go'),
      keep: () => void calls.push('keep'),
    };
    const guard = new Guard({ logger, recorder });
    const runner = new PredecessorRunner({
      ...{ path, clock, logger, recorder, guard },
      offer: async () => passable,
    });
    runner.listen();
    /** Waits until the other process has connected. */
    const isConnected = () =>
      eventually('the connection', async () => lines.some(({ msg }) => msg.includes('waits to take')));
    /** Waits until the machine has read that the other process is ready. */
    const isReady = () =>
      eventually('the record "ready"', async () =>
        recorder.events('predecessor').some(({ event }) => JSON.stringify(event).includes('"ready"')),
      );
    return { runner, calls, clock, lines, isConnected, isReady };
  }

  function waiting(check: (items: readonly PassedOn[]) => Result<unknown, string>) {
    const { logger, lines } = memoryLogger();
    const recorder = new FlightRecorder({ clock: new VirtualClock() });
    const calls: string[] = [];
    const successor = connectToPredecessor({
      ...{ path, logger, recorder, guard: new Guard({ logger, recorder }) },
      check,
      discard: () => void calls.push('discard'),
    });
    return { successor, calls, lines };
  }

  test('only the user of the predecessor has access to the socket', async () => {
    const { runner } = serving();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await runner.stop();
  });

  test('no predecessor is found without a socket, or at a socket that no process serves', async () => {
    assert.equal(waiting(ok).successor, undefined);
    const { runner } = serving();
    await runner.stop();
    assert.equal(waiting(ok).successor, undefined);
  });

  test('a successor does not wait for a predecessor that hangs and whose queue of connections is full', () => {
    // Another process runs the script, because a connect that waits would block the process of the tests for ever. The script never returns to the
    // event loop, so it accepts no connection.
    const script = `
      import { connectChannel, listenChannel } from ${JSON.stringify(import.meta.resolve('../../../src/succession/channel.ts'))};
      const path = ${JSON.stringify(path)};
      listenChannel({ path, onConnected() {}, onRefused() {} });
      try {
        for (let i = 0; i < 20; i++) connectChannel(path, { onRecord() {}, onClosed() {} });
      } catch (error) {
        console.log(error.message);
      }
      process.exit();`;
    const child = spawnSync(
      process.execPath,
      [...process.execArgv, '--input-type=module', '--eval', script],
      {
        encoding: 'utf8',
        timeout: 30_000,
      },
    );
    assert.equal(child.signal, null, 'the process was blocked');
    assert.match(child.stdout, /queue of waiting connections is full/, child.stderr);
  });

  test('the predecessor passes a connection on with its descriptor, and the peer of the connection notices nothing', async (t) => {
    const received: string[] = [];
    let closed = false;
    const server: Server = createServer((socket) => {
      socket.on('data', (octets) => void received.push(String(octets)));
      socket.on('error', () => undefined);
      socket.on('close', () => {
        closed = true;
      });
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const address = server.address();
    assert.ok(address && typeof address === 'object');
    const own = connect(address.port, '127.0.0.1');
    await new Promise<void>((resolve) => void own.once('connect', resolve));
    const handle: unknown = Reflect.get(own, '_handle');
    assert.ok(typeof handle === 'object' && handle !== null);
    const descriptor = Number(Reflect.get(handle, 'fd'));

    const { runner, calls, isConnected } = serving([
      { octets: Uint8Array.of(7), descriptor },
      { octets: Uint8Array.of(8) },
    ]);
    const got: PassedOn[] = [];
    const { successor } = waiting((items) => {
      got.push(...items);
      return ok(items.length);
    });
    assert.ok(successor);
    successor.inSync();
    await isConnected();
    assert.equal(await runner.stop(), 'passed');
    assert.equal(await successor.outcome, 'inherited');
    assert.deepEqual(calls, ['let go']);
    assert.deepEqual(
      got.map(({ octets }) => [...octets]),
      [[7], [8]],
    );
    assert.deepEqual(
      got.map((item) => item.descriptor !== undefined),
      [true, false],
    );
    own.destroy();
    const inherited = new Socket({ fd: got[0]?.descriptor ?? -1, readable: true, writable: true });
    inherited.write('still here');
    await eventually('the octets of the successor', async () => received.join('') === 'still here');
    assert.equal(closed, false);
    inherited.destroy();
  });

  test('of two descriptors in one message, the second one is refused and does not stay open', async (t) => {
    const accepted: number[] = [];
    const onConnected = (connection: number) => void accepted.push(connection);
    t.after(listenChannel({ path, onConnected, onRefused: assert.fail }));
    const peer = libc.openSocket(AF_UNIX, SOCK_SEQPACKET, 0);
    t.after(() => libc.closeDescriptor(peer));
    libc.connectSocket(peer, encodeSocketPath(path));
    await eventually('the connection', async () => accepted.length > 0);
    const fd = accepted[0] ?? assert.fail();
    t.after(() => libc.closeDescriptor(fd));
    sendWith(peer, [peer, peer]);
    const openFiles = () => readdirSync('/proc/self/fd').length;
    const before = openFiles();
    const message = libc.receiveMessage(fd, new Uint8Array(new ArrayBuffer(8)));
    assert.ok(typeof message !== 'string' && message.descriptor !== undefined);
    assert.equal(openFiles(), before + 1);
    assert.equal(message.isTruncated, true);
    libc.closeDescriptor(message.descriptor);
  });

  test('many items that fill the socket arrive in order', async () => {
    const items = Array.from({ length: 300 }, (_, index) => {
      const octets = new Uint8Array(8192);
      new DataView(octets.buffer).setUint32(0, index);
      return { octets };
    });
    const { runner, isConnected } = serving(items);
    const got: number[] = [];
    const { successor } = waiting((all) => {
      for (const { octets } of all) got.push(new DataView(octets.buffer, octets.byteOffset).getUint32(0));
      return ok(all.length);
    });
    successor?.inSync();
    await isConnected();
    assert.equal(await runner.stop(), 'passed');
    assert.deepEqual(got, [...Array(300).keys()]);
  });

  test('the predecessor keeps everything when the successor finds the items invalid', async () => {
    const { runner, calls, isConnected } = serving();
    const { successor, lines } = waiting(() => fail('nonsense'));
    successor?.inSync();
    await isConnected();
    assert.equal(await runner.stop(), 'kept');
    assert.deepEqual(calls, ['keep']);
    assert.equal(await successor?.outcome, 'without');
    assert.ok(lines.some(({ reason }) => reason === 'nonsense'));
  });

  test('the predecessor keeps everything when the successor is ready and then does not answer the offer', async () => {
    const { runner, calls, clock, isReady } = serving();
    const channel = connectChannel(path, { onRecord: () => undefined, onClosed: () => undefined });
    assert.ok(channel);
    channel.send(greeting);
    channel.send({ kind: 'ready' });
    await isReady();
    const outcome = runner.stop();
    await eventually('the offer', async () => {
      clock.advance(15_000);
      return calls.length > 0;
    });
    assert.equal(await outcome, 'kept');
    assert.deepEqual(calls, ['keep']);
    channel.close();
  });

  test('a process that breaks the protocol is cut off, and the predecessor goes on', async () => {
    const { runner, lines } = serving();
    let closed = false;
    const channel = connectChannel(path, {
      onRecord: () => undefined,
      onClosed: () => {
        closed = true;
      },
    });
    channel?.send({ kind: 'accepted' });
    await eventually('the end of the connection', async () => closed);
    assert.ok(!lines.some(({ level }) => level === 'error'));
    assert.equal(await runner.stop(), 'kept');
  });

  test('the predecessor closes a descriptor that the other process sends', async () => {
    const { runner } = serving();
    const openFiles = () => readdirSync('/proc/self/fd').length;
    const before = openFiles();
    const closed = Promise.withResolvers<string>();
    const channel = connectChannel(path, { onRecord: () => undefined, onClosed: closed.resolve });
    const sent = libc.openSocket(AF_UNIX, SOCK_SEQPACKET, 0);
    channel?.send({ kind: 'item', octets: Uint8Array.of(1) }, sent);
    libc.closeDescriptor(sent);
    await closed.promise;
    assert.equal(openFiles(), before);
    await runner.stop();
  });

  test('a channel that is closed reports nothing more', async () => {
    const { runner } = serving();
    const reports: string[] = [];
    const channel = connectChannel(path, {
      onRecord: ({ kind }) => void reports.push(`the record ${kind}`),
      onClosed: (reason) => void reports.push(reason),
    });
    assert.ok(channel instanceof Channel);
    channel.close();
    channel.close();
    // The predecessor greets connections in the order in which they are opened, so it tries to greet the closed connection before the second one.
    const greeted = Promise.withResolvers<void>();
    const second = connectChannel(path, { onRecord: () => greeted.resolve(), onClosed: () => undefined });
    await greeted.promise;
    assert.deepEqual(reports, []);
    second?.close();
    await runner.stop();
  });
});

/** Sends one octet with these descriptors, as only a faulty process does (sendmsg(2), unix(7)). */
function sendWith(fd: number, descriptors: readonly number[]): void {
  const part = koffi.struct({ data: 'void *', length: 'size_t' });
  const header = koffi.struct({
    ...{ name: 'void *', nameLength: 'uint32_t' },
    ...{ parts: koffi.pointer(part), partCount: 'size_t' },
    ...{ control: 'void *', controlLength: 'size_t', flags: 'int' },
  });
  const sendmsg = koffi.load('libc.so.6').func('sendmsg', 'intptr_t', ['int', koffi.pointer(header), 'int']);
  const control = new Uint32Array([16 + 4 * descriptors.length, 0, 1, 1, ...descriptors]);
  const sent = sendmsg(
    fd,
    {
      ...{ name: null, nameLength: 0, flags: 0 },
      ...{ parts: [{ data: Uint8Array.of(1), length: 1 }], partCount: 1 },
      ...{ control, controlLength: control.byteLength },
    },
    0,
  );
  assert.equal(Number(sent), 1);
}
