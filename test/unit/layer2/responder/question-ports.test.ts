import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type NeighbourAnswer, QuestionPorts } from '../../../../src/layer2/responder/question-ports.ts';
import type { CaptureOptions } from '../../../../src/link/capture.ts';
import type { Link } from '../../../../src/link/link-table.ts';
import { Guard } from '../../../../src/telemetry/guard.ts';
import { ip } from '../../../support/addresses.ts';
import { eth0 } from '../../../support/memory-host.ts';
import { memoryLogger } from '../../../support/memory-logger.ts';
import { captured, frame, hex, mac as macFrom } from '../../../support/neighbour-frames.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

function setUp(own: readonly string[]) {
  const clock = new VirtualClock();
  const { logger, lines } = memoryLogger();
  const sent: string[] = [];
  const answers: NeighbourAnswer[] = [];
  const drops: string[] = [];
  const open = new Map<string, CaptureOptions>();
  const links: Link[] = [{ ...eth0, mac: macFrom('02:00:00:00:00:0b') }];
  const ports = new QuestionPorts({
    clock,
    log: logger,
    guard: new Guard({ logger }),
    links: {
      links: () => links,
      localAddresses: () => own.map((text) => ({ interface: 'eth0', address: ip(text) })),
      onChange: () => {},
      close: () => {},
    },
    openCapture: (options) => {
      open.set(options.interface, options);
      return {
        send: (bytes) => sent.push(hex(bytes)) > 0,
        drain: () => {},
        close: () => void open.delete(options.interface),
      };
    },
    onAnswer: (answer) => answers.push(answer),
    onDrop: (...drop) => drops.push(drop.join(' ')),
  });
  const hear = (text: string) => open.get('eth0')?.onFrame(frame(text), text.length / 2, 0);
  return { ...{ clock, lines, sent, answers, drops, open, links, ports, hear } };
}

describe('QuestionPorts', () => {
  test('asks by ARP and Neighbour Discovery from an address of this host, as its kernel would, and reads the answers', () => {
    const { ports, sent, answers, drops, hear } = setUp(['10.0.0.1', '192.0.2.2', 'fe80::1', '2001:db8::b']);
    assert.ok(ports.ask('eth0', ip('192.0.2.1')));
    assert.ok(ports.ask('eth0', ip('2001:db8::a')));
    assert.deepEqual(sent, [captured.arpRequest, captured.solicitation]);
    for (const text of [captured.arpReply, captured.advertisement, captured.arpRequest]) hear(text);
    const mac = '02:00:00:00:00:0a';
    assert.deepEqual(answers, [
      { address: '192.0.2.1', family: 4, mac, interface: 'eth0' },
      { address: '2001:db8::a', family: 6, mac, interface: 'eth0' },
    ]);
    assert.deepEqual(drops, ['arp malformed']);
  });

  test('sends no question when the link is absent or has only a link-local address of the family', () => {
    const { ports, sent } = setUp(['192.0.2.2', 'fe80::1']);
    assert.ok(!ports.ask('eth1', ip('192.0.2.1')));
    assert.ok(!ports.ask('eth0', ip('2001:db8::a')));
    assert.deepEqual(sent, []);
  });

  test('captures a link from its first question until keep() leaves it out, and again after the link has changed or the capture was lost', () => {
    const { ports, open, links, clock } = setUp(['192.0.2.2']);
    assert.equal(open.size, 0);
    ports.ask('eth0', ip('192.0.2.1'));
    const first = open.get('eth0');
    assert.match(first?.filter ?? '', /^ether dst 02:00:00:00:00:0b /);
    ports.ask('eth0', ip('192.0.2.1'));
    assert.equal(open.get('eth0'), first);
    const [link] = links;
    assert.ok(link);
    links[0] = { ...link, epoch: 1 };
    ports.ask('eth0', ip('192.0.2.1'));
    const second = open.get('eth0');
    assert.notEqual(second, first);
    second?.onLost('libpcap failed; the interface is probably down or gone');
    assert.ok(!ports.ask('eth0', ip('192.0.2.1')));
    clock.advance(1000);
    assert.ok(ports.ask('eth0', ip('192.0.2.1')));
    ports.keep(new Set());
    assert.equal(open.size, 0);
  });

  test('reopens a lost capture that `listen` has named, although no question follows', () => {
    const { ports, open, clock } = setUp(['192.0.2.2']);
    ports.listen(new Set(['eth0']));
    open.get('eth0')?.onLost('deaf');
    open.clear();
    clock.advance(500);
    ports.listen(new Set(['eth0']));
    assert.equal(open.size, 0);
    clock.advance(500);
    assert.equal(open.size, 1);
    open.get('eth0')?.onLost('deaf');
    open.clear();
    ports.close();
    clock.advance(5000);
    assert.equal(open.size, 0);
  });

  test('drops a frame whose handling throws, and only that frame', () => {
    const { ports, lines, hear, answers } = setUp(['192.0.2.2']);
    ports.ask('eth0', ip('192.0.2.1'));
    answers.push = () => {
      throw new Error('bug');
    };
    hear(captured.arpReply);
    Reflect.deleteProperty(answers, 'push');
    assert.ok(lines.some(({ msg }) => msg === 'bug: input dropped'));
    hear(captured.arpReply);
    assert.equal(answers.length, 1);
  });
});
