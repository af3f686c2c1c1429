import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EchoFunction } from '../../../src/bfd/echo-function.ts';
import type { EchoSocket } from '../../../src/bfd/transport/transport.ts';
import { base } from './engine-nodes.ts';

/** An echo function whose transport can lose its socket, and whose socket answers each packet with `refusal`. */
function fixture() {
  const link = { hasSocket: true, refusal: undefined as string | undefined };
  const socket: EchoSocket = {
    address: Uint8Array.of(192, 0, 2, 1),
    returnsEcho: () => true,
    drain: () => false,
    send: () => link.refusal,
    isAlive: () => link.hasSocket,
    close: () => undefined,
  };
  const openEcho = () => {
    if (!link.hasSocket) throw new Error('no address');
    return socket;
  };
  const create = () =>
    new EchoFunction({
      ...{ settings: base, discriminator: 1, cookie: new Uint8Array(8), transport: { openEcho } },
      onReadable: () => undefined,
    });
  return { link, create };
}

test('an Echo packet counts as missing until it returns, even if the system refuses to send it, unless the node has no room for it', () => {
  const { link, create } = fixture();
  const echo = create();
  for (const [refusal, counts] of [
    [undefined, true],
    ['ENOBUFS', false],
    ['ENOMEM', false],
    ['EAGAIN', false],
    ['ENETDOWN', true],
    ['ENODEV', true],
    ['the kernel does not know the MAC of 192.0.2.2', true],
  ] as const) {
    link.refusal = refusal;
    assert.equal(echo.send(1), counts, refusal);
  }
  assert.equal(echo.sent, 1);
});

test('once the socket has been open, Echo packets count as missing even while there is no socket', () => {
  const { link, create } = fixture();
  link.hasSocket = false;
  const echo = create();
  assert.equal(echo.send(1), false);
  link.hasSocket = true;
  echo.maintain();
  link.hasSocket = false;
  echo.maintain();
  assert.equal(echo.send(2), true);
});
