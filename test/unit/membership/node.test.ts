import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, type TestContext, test } from 'node:test';
import { systemClock } from '../../../src/clock.ts';
import { MembershipNode, type MembershipNodeOptions } from '../../../src/membership/node.ts';
import { FlightRecorder } from '../../../src/telemetry/flight-recorder.ts';
import { Guard } from '../../../src/telemetry/guard.ts';
import { eventually } from '../../support/eventually.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { TextStore, textPayload } from '../../support/text-payloads.ts';

const keys = [new Uint8Array(32).fill(1)] as const;

/** A UDP port that is free now. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp6');
  socket.bind(0);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

/** A node that leaves when the test ends. */
async function start(
  t: TestContext,
  over: Partial<MembershipNodeOptions> & { readonly name: string; readonly port: number },
): Promise<MembershipNode> {
  const node = await MembershipNode.start({
    keys,
    metadata: '',
    payloads: new TextStore(),
    guard: new Guard({ logger: memoryLogger().logger }),
    changed: () => {},
    count: () => {},
    ...over,
  });
  t.after(() => node.leave());
  return node;
}

describe('MembershipNode', () => {
  test('two nodes meet over UDP and share records, and the flight recorder shows the join and the departure', async (t) => {
    const [portA, portB] = [await freePort(), await freePort()];
    const recorder = new FlightRecorder({ clock: systemClock });
    const store = new TextStore();
    const a = await start(t, { name: 'a', port: portA, recorder, payloads: store });
    const b = await start(t, { name: 'b', port: portB });
    const speakers = new Map([
      ['a', [{ host: '127.0.0.1', port: portA }]],
      ['b', [{ host: '127.0.0.1', port: portB }]],
    ]);
    a.setSpeakers(speakers);
    b.setSpeakers(speakers);
    b.publish([textPayload('record')]);
    await eventually('the record arrives', () => store.size === 1);
    b.leave();
    await eventually('b has left', () => a.machine.member('b')?.state === 'left');
    const kinds = recorder.events('membership').map(({ event }) => (event as { kind: string }).kind);
    assert.deepEqual(kinds, ['joined', 'left']);
  });

  test('a listed speaker that uses an unknown key is reported by name, and an unlisted one is not', async (t) => {
    const [portA, portB, portC] = [await freePort(), await freePort(), await freePort()];
    const named: string[] = [];
    let dropped = 0;
    const a = await start(t, {
      name: 'a',
      port: portA,
      onUnknownKey: (speaker) => named.push(speaker),
      count: (datagram) => {
        if (datagram.dropped === 'unknown-key') dropped++;
      },
    });
    const otherKey = [new Uint8Array(32).fill(2)] as const;
    const b = await start(t, { name: 'b', port: portB, keys: otherKey });
    const c = await start(t, { name: 'c', port: portC, keys: otherKey });
    const toA = new Map([['a', [{ host: '127.0.0.1', port: portA }]]]);
    c.setSpeakers(toA);
    await eventually('a datagram of an unlisted speaker', () => dropped > 0);
    assert.deepEqual(named, []);
    c.leave();
    a.setSpeakers(new Map([['b', [{ host: '127.0.0.1', port: portB }]]]));
    b.setSpeakers(toA);
    await eventually('the name of the listed speaker', () => named.length > 0);
    assert.equal(named[0], 'b');
  });

  test('an exception in the handling of a datagram is logged and loses only that datagram', async (t) => {
    const [portA, portB] = [await freePort(), await freePort()];
    const { logger, lines } = memoryLogger();
    class BrokenStore extends TextStore {
      override merge(): never {
        throw new RangeError('a record that nothing expects');
      }
    }
    const a = await start(t, {
      name: 'a',
      port: portA,
      payloads: new BrokenStore(),
      guard: new Guard({ logger }),
    });
    const b = await start(t, { name: 'b', port: portB });
    const speakers = new Map([
      ['a', [{ host: '127.0.0.1', port: portA }]],
      ['b', [{ host: '127.0.0.1', port: portB }]],
    ]);
    a.setSpeakers(speakers);
    b.setSpeakers(speakers);
    await eventually('b hears a', () => b.machine.liveCount === 1);
    b.publish([textPayload('record')]);
    await eventually('the exception is logged', () => lines.length === 1);
    assert.equal(lines[0]?.entrance, 'membership');
    assert.equal(b.machine.liveCount, 1);
  });
});
