import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { systemClock } from '../../../../src/clock.ts';
import { askByTcp } from '../../../../src/speaker/dead-nodes/tcp-question.ts';
import { freePort } from '../../../support/free-port.ts';

describe('askByTcp()', () => {
  test('a refused connection is an answer, and so is an accepted one', async (t) => {
    assert.equal(await askByTcp(['127.0.0.1'], await freePort(), systemClock), 'answered');
    const server = createServer();
    t.after(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    assert.equal(await askByTcp(['127.0.0.1'], address.port, systemClock), 'answered');
  });

  test('one address that answers is enough', async () => {
    // TCP cannot connect to a multicast address, so the first address cannot be asked.
    const port = await freePort();
    assert.equal(await askByTcp(['224.0.0.1', '127.0.0.1'], port, systemClock), 'answered');
  });

  test('a node without an address, or with addresses that cannot be asked, is unknown and not silent', async () => {
    assert.equal(await askByTcp([], 7946, systemClock), 'unknown');
    assert.equal(await askByTcp(['224.0.0.1'], 7946, systemClock), 'unknown');
  });
});
