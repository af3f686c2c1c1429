import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BfdState } from '../../../src/bfd/codec/state.ts';
import { packetsAtOnce, ReceivePorts } from '../../../src/bfd/receive-ports.ts';
import type { BfdMode, BfdSessionSettings } from '../../../src/bfd/session-settings.ts';
import { MemoryBfdTransport } from '../../support/memory-bfd-transport.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

/** A session as its receive socket sees it. */
class Session {
  readonly settings: BfdSessionSettings;
  readonly machine: { readonly localDiscriminator: number; state: BfdState };
  fault: string | undefined;

  constructor(localDiscriminator: number, over: Partial<BfdSessionSettings> = {}) {
    this.machine = { localDiscriminator, state: 'Up' };
    this.settings = {
      ...{ id: `${localDiscriminator}`, name: `${localDiscriminator}`, peerAddress: '192.0.2.2' },
      ...{ mode: { kind: 'single-hop' }, transmitIntervalMs: 50, receiveIntervalMs: 50, detectMultiplier: 3 },
      passive: false,
      ...over,
    };
  }

  setReceiveFault(fault: string | undefined): void {
    this.fault = fault;
  }
}

function fixture() {
  const clock = new VirtualClock();
  const transport = new MemoryBfdTransport();
  const { logger, lines } = memoryLogger();
  const received: number[][] = [];
  let pauses = 0;
  const ports = new ReceivePorts<Session>({
    ...{ transport, clock, logger },
    onPacket: (_octets, _source, receivers) =>
      received.push([...receivers].map(({ machine }) => machine.localDiscriminator)),
    pause: () => void pauses++,
  });
  const sessions = new Set<Session>();
  const join = (session: Session) => {
    sessions.add(session);
    ports.join(session);
    ports.setSessions([...sessions]);
    return session;
  };
  const leave = (session: Session) => {
    sessions.delete(session);
    ports.leave(session);
    ports.setSessions([...sessions]);
  };
  return { clock, transport, lines, received, pauses: () => pauses, ports, join, leave };
}

const multihop = (minimumTtl: number): BfdMode => ({ kind: 'multihop', minimumTtl });
/** A packet with this value of Your Discriminator. */
const packetFor = (discriminator: number) => {
  const octets = Buffer.alloc(24);
  octets.writeUInt32BE(discriminator, 8);
  return octets;
};

describe('ReceivePorts', () => {
  test('sessions with the same listen key share a socket, which is closed when the last of them leaves', () => {
    const { transport, join, leave } = fixture();
    const [a, b] = [join(new Session(1)), join(new Session(2, { peerAddress: '192.0.2.3' }))];
    assert.equal(transport.ports.length, 1);
    const port = transport.port();
    leave(a);
    assert.equal(port.isClosed, false);
    leave(b);
    assert.equal(port.isClosed, true);
    join(new Session(3));
    assert.equal(transport.ports.length, 2);
  });

  test('each family, mode, interface and local address has a socket of its own', () => {
    const { transport, join } = fixture();
    const differences: Partial<BfdSessionSettings>[] = [
      {},
      { peerAddress: '2001:db8::2' },
      { mode: multihop(254) },
      { interface: 'eth0' },
      { localAddress: '192.0.2.1' },
    ];
    differences.forEach((over, i) => void join(new Session(i + 1, over)));
    assert.deepEqual(
      transport.ports.map(({ key }) => key),
      [
        { family: 4, port: 3784 },
        { family: 6, port: 3784 },
        { family: 4, port: 4784 },
        { family: 4, port: 3784, interface: 'eth0' },
        { family: 4, port: 3784, localAddress: '192.0.2.1' },
      ],
    );
  });

  test('the list of receivers has the sessions that need the socket first, and then other sessions whose packets may arrive on it', () => {
    const { transport, received, join } = fixture();
    join(new Session(1));
    join(new Session(2, { interface: 'eth0' }));
    join(new Session(3, { interface: 'eth1' }));
    const bound = transport.ports.find(({ key }) => key.interface === 'eth0');
    bound?.arrive(packetFor(2), '192.0.2.2');
    bound?.poll();
    assert.deepEqual(received, [[2, 1]]);
  });

  test('a packet needs the smallest minimum TTL of the sessions with its sender', () => {
    const { transport, join, leave } = fixture();
    join(new Session(1, { mode: multihop(250) }));
    const far = join(new Session(2, { mode: multihop(200), peerAddress: '192.0.2.3' }));
    const port = transport.port(4784);
    assert.deepEqual(port.filter, {
      minimumTtl: 200,
      peerMinimumTtls: [{ peerAddress: '192.0.2.2', minimumTtl: 250 }],
    });
    join(new Session(3, { mode: multihop(220), interface: 'eth0' }));
    assert.deepEqual(port.filter.peerMinimumTtls, [{ peerAddress: '192.0.2.2', minimumTtl: 220 }]);
    leave(far);
    assert.deepEqual(port.filter, { minimumTtl: 220 });
  });

  test('during a flood, packets pass only with a known discriminator, or with discriminator 0 while a session is not Up', () => {
    const { clock, transport, lines, ports, pauses, join } = fixture();
    const session = join(new Session(7));
    const port = transport.port();
    for (let i = 0; i <= packetsAtOnce; i++) port.arrive(packetFor(7), '192.0.2.2');
    port.poll();
    assert.deepEqual(port.filter.discriminators, [7]);
    assert.equal(pauses(), 1);
    session.machine.state = 'Down';
    ports.maintain();
    assert.deepEqual(port.filter.discriminators, [7, 0]);
    clock.advance(5000);
    assert.equal(port.filter.discriminators, undefined);
    assert.equal(lines.length, 1);
  });

  test('when the kernel has no room for a filter, only the parts that do not fit are left out', () => {
    const { clock, transport, lines, received, ports, join } = fixture();
    join(new Session(1, { mode: multihop(250) }));
    const session = join(new Session(2, { mode: multihop(200), peerAddress: '192.0.2.3' }));
    const port = transport.port(4784);
    const { filter } = port;
    const flood = () => {
      for (let i = 0; i <= packetsAtOnce; i++) port.arrive(packetFor(7), '192.0.2.2');
      port.poll();
    };
    port.noRoomFor = ['discriminators'];
    flood();
    flood();
    session.machine.state = 'Down';
    ports.maintain();
    assert.deepEqual(port.filter, filter);
    assert.equal(received.length, 2 * packetsAtOnce);
    assert.deepEqual(
      lines.slice(1).map(({ msg, reason }) => ({ msg, reason })),
      [
        {
          msg: 'the kernel has no room for the filter of BFD packets; a simpler one lets more packets through',
          reason: 'no room for discriminators; the simpler filter checks only the TTL',
        },
      ],
    );
    port.noRoomFor = ['peerMinimumTtls'];
    clock.advance(5000);
    assert.deepEqual(port.filter, { minimumTtl: 200 });
    const { length } = lines;
    for (let i = 0; i < 3; i++) ports.maintain();
    assert.equal(lines.length, length);
    assert.equal(session.fault, undefined);
  });

  test('a kernel that has no room for any filter is a fault of the sessions until it has room', () => {
    const { clock, transport, ports, join } = fixture();
    const session = join(new Session(1));
    const port = transport.port();
    const { filter } = port;
    port.noRoomFor = ['minimumTtl'];
    for (let i = 0; i <= packetsAtOnce; i++) port.arrive(packetFor(1), '192.0.2.2');
    port.poll();
    ports.maintain();
    assert.match(session.fault ?? '', /^the kernel has no room for the filter of BFD packets: no room/);
    port.noRoomFor = [];
    ports.maintain();
    assert.equal(session.fault, undefined);
    assert.deepEqual(port.filter, { ...filter, discriminators: [1] });
    port.noRoomFor = ['minimumTtl'];
    session.machine.state = 'Down';
    ports.maintain();
    session.machine.state = 'Up';
    port.noRoomFor = [];
    ports.maintain();
    assert.deepEqual(port.filter, { ...filter, discriminators: [1] });
    clock.advance(5000);
    assert.deepEqual(port.filter, filter);
  });

  test('a socket that cannot be opened is a fault of its sessions until it is open', () => {
    const { transport, ports, join } = fixture();
    transport.fault = 'no interface eth0';
    const session = join(new Session(1));
    assert.equal(session.fault, 'no interface eth0');
    transport.fault = undefined;
    ports.maintain();
    assert.equal(session.fault, undefined);
    assert.equal(transport.ports.length, 1);
  });

  test('a socket whose interface was replaced is opened again, and the packets that the old socket dropped still count', () => {
    const { transport, ports, join } = fixture();
    join(new Session(1));
    const before = transport.port();
    before.dropped = 3;
    before.isReplaced = true;
    ports.maintain();
    assert.equal(before.isClosed, true);
    transport.port().dropped = 4;
    assert.equal(ports.droppedByKernel(), 7);
  });

  test('read() takes at most the given number of packets from each socket', () => {
    const { transport, received, ports, join } = fixture();
    join(new Session(1));
    join(new Session(2, { mode: multihop(254) }));
    for (const port of transport.ports) for (let i = 0; i < 5; i++) port.arrive(packetFor(0), '192.0.2.2');
    ports.read(3);
    assert.equal(received.length, 6);
  });
});
