import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../../../src/config/index.ts';
import { FrameCapture } from '../../../../src/speaker/capture/frame-capture.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

function configOf(text: string) {
  const parsed = parseConfig(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

test('FrameCapture says which interface it cannot capture on, closes the others, and serves the next request', async () => {
  const config = configOf(`peers:
- {name: tor, my-asn: 64512, peer-asn: 64500, peer-address: fe80::1, interface: eth0}
- {name: tunnel, my-asn: 64512, peer-asn: 64500, peer-address: fe80::2, interface: tun0}
`);
  let isTunnelBroken = true;
  const open: string[] = [];
  const clock = new VirtualClock();
  const capture = new FrameCapture({
    ...{ nodeName: 'node-1', clock, config: () => config },
    opener: async () => (options) => {
      if (options.interface === 'tun0' && isTunnelBroken) throw new Error('tun0 is not an Ethernet link');
      open.push(options.interface);
      const close = () => void open.splice(open.indexOf(options.interface), 1);
      return { close, send: () => true, drain: () => {}, counters: () => ({ received: 0, dropped: 0 }) };
    },
  });
  const serve = () =>
    capture.serve(new URLSearchParams('peer=tor&peer=tunnel&seconds=1'), new AbortController().signal);
  assert.deepEqual(await serve(), {
    status: 503,
    reason: 'this node cannot capture on tun0: tun0 is not an Ethernet link',
  });
  assert.deepEqual(open, []);
  isTunnelBroken = false;
  const reply = serve();
  while (open.length < 2) await new Promise(setImmediate);
  clock.advance(1000);
  assert.equal((await reply).status, 200);
  assert.deepEqual(open, []);
});

test('FrameCapture captures on at most eight interfaces, and the file names the others', async () => {
  const peers = Array.from(
    { length: 10 },
    (_, i) =>
      `- {name: p${i}, my-asn: 64512, peer-asn: 64500, peer-address: fe80::${i + 1}, interface: eth${i}}\n`,
  );
  const config = configOf(`peers:\n${peers.join('')}`);
  const clock = new VirtualClock();
  let opened = 0;
  const capture = new FrameCapture({
    ...{ nodeName: 'node-1', clock, config: () => config },
    opener: async () => () => {
      opened++;
      return {
        close: () => {},
        send: () => true,
        drain: () => {},
        counters: () => ({ received: 0, dropped: 0 }),
      };
    },
  });
  const query = new URLSearchParams({ seconds: '1' });
  for (const i of peers.keys()) query.append('peer', `p${i}`);
  const reply = capture.serve(query, new AbortController().signal);
  while (opened < 8) await new Promise(setImmediate);
  clock.advance(1000);
  const served = await reply;
  assert.ok(served.status === 200);
  assert.match(served.file.toString('latin1'), /without the interfaces eth8, eth9/);
  assert.equal(opened, 8);
});
