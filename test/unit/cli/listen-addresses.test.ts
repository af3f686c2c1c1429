import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseListenAddresses } from '../../../src/cli/listen-addresses.ts';

const accepted: readonly (readonly [string, readonly string[]])[] = [
  [':80', [':: 80']],
  ['127.0.0.1:80', ['127.0.0.1 80']],
  ['localhost:80', ['localhost 80']],
  ['[2001:db8::1]:80', ['2001:db8::1 80']],
  ['192.0.2.1', ['192.0.2.1 7472']],
  ['2001:db8::1', ['2001:db8::1 7472']],
  ['127.0.0.1:80,192.0.2.1,2001:db8::1', ['127.0.0.1 80', '192.0.2.1 80', '2001:db8::1 80']],
  ['127.0.0.1:80, 192.0.2.1:81, 192.0.2.2', ['127.0.0.1 80', '192.0.2.1 81', '192.0.2.2 81']],
  ['127.0.0.1:80,127.0.0.1', ['127.0.0.1 80']],
];
for (const [text, addresses] of accepted)
  test(`parseListenAddresses() accepts ${text}`, () => {
    assert.deepEqual(
      parseListenAddresses(text, 7472).map(({ host, port }) => `${host} ${port}`),
      addresses,
    );
  });

for (const text of ['', 'localhost', '80', ':', ':65536', '127.0.0.1:80,', ',192.0.2.1', '192.0.2.1:80:81'])
  test(`parseListenAddresses() refuses “${text}”`, () => {
    assert.throws(() => parseListenAddresses(text, 7472), /expected host:port/);
  });
