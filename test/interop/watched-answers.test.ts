/** A node watches which host answers for an address. In these tests, the kernel of another host answers, or another program on the node itself. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { bridge, connectWorld, NetworkNamespace, plug } from '../../lab/netns.ts';
import { encodeArpAnnouncement } from '../../src/arp/packet.ts';
import { systemClock } from '../../src/clock.ts';
import type { NeighbourAnswer } from '../../src/layer2/responder/question-ports.ts';
import { createNeighbourResponder, type NeighbourResponder } from '../../src/layer2/responder/responder.ts';
import { type Capture, openCapture } from '../../src/link/capture.ts';
import { formatMac } from '../../src/link/frame.ts';
import { encodeUnsolicitedAdvertisement } from '../../src/ndp/packet.ts';
import { ip } from '../support/addresses.ts';
import { eventually } from '../support/eventually.ts';

const link = 'world0';
const otherMac = '02:00:00:00:00:02';
const heard: NeighbourAnswer[] = [];
let responder: NeighbourResponder;
/** Sends frames in place of another program on this host. */
let program: Capture;
let ownMac: Uint8Array = new Uint8Array();

before(async () => {
  const [hub, other] = await Promise.all(['hub', 'other'].map((name) => NetworkNamespace.create(name)));
  assert.ok(hub && other);
  await bridge(hub, 'lan');
  await plug(
    { namespace: other, interface: 'eth0', mac: otherMac, addresses: ['192.0.2.2/24'] },
    hub,
    'lan',
    'other',
  );
  await connectWorld(hub, 'lan', '192.0.2.1/24');
  responder = createNeighbourResponder({
    log: pino({ level: 'silent' }),
    onWatchedAnswer: (answer) => heard.push(answer),
  });
  await eventually('the link', () => responder.links().some(({ name }) => name === link));
  ownMac = responder.links().find(({ name }) => name === link)?.mac ?? assert.fail();
  program = openCapture({
    interface: link,
    filter: 'less 1',
    clock: systemClock,
    onFrame: () => {},
    onLost: () => {},
  });
  responder.watch.listen(new Set([link]));
});
after(() => {
  program?.close();
  responder?.close();
});

const answersFor = (address: string) =>
  heard.filter((each) => each.address === address).map(({ mac, interface: name }) => `${mac} ${name}`);

test('a node hears the answer of another host to its question', async () => {
  await eventually('an answer', () => {
    assert.ok(responder.watch.ask(link, ip('192.0.2.2')));
    return answersFor('192.0.2.2').includes(`${otherMac} ${link}`);
  });
});

test('a node hears the ARP answers and the advertisements of another program on itself', async () => {
  const [, reply] = encodeArpAnnouncement(ownMac, ip('192.0.2.150'));
  const own = `${formatMac(ownMac)} ${link}`;
  assert.ok(program.send(reply));
  await eventually('the ARP answer', () => answersFor('192.0.2.150').includes(own));
  assert.ok(program.send(encodeUnsolicitedAdvertisement(ownMac, ip('2001:db8::150'))));
  await eventually('the advertisement', () => answersFor('2001:db8::150').includes(own));
});

test('a node hears no answers on a link that it no longer watches, and hears them when it watches the link again', async () => {
  const [, missed] = encodeArpAnnouncement(ownMac, ip('192.0.2.151'));
  const [, reply] = encodeArpAnnouncement(ownMac, ip('192.0.2.152'));
  responder.watch.listen(new Set());
  assert.ok(program.send(missed));
  responder.watch.listen(new Set([link]));
  assert.ok(program.send(reply));
  await eventually('the later answer', () => answersFor('192.0.2.152').length === 1);
  assert.deepEqual(answersFor('192.0.2.151'), []);
});
