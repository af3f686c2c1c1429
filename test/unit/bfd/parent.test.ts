import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { ToBfd } from '../../../src/bfd/messages.ts';
import { createBfd } from '../../../src/bfd/parent.ts';
import type { BfdSessionSettings } from '../../../src/bfd/session-settings.ts';
import { eventually } from '../../support/eventually.ts';
import { memoryLogger } from '../../support/memory-logger.ts';

const session: BfdSessionSettings = {
  id: 'router',
  name: 'router',
  peerAddress: '192.0.2.1',
  mode: { kind: 'single-hop' },
  transmitIntervalMs: 300,
  receiveIntervalMs: 300,
  detectMultiplier: 3,
  passive: false,
};

/** A handle that has one session. Its process is a substitute that records the messages it receives. */
async function setUp(t: TestContext) {
  const { logger } = memoryLogger();
  const bfd = createBfd({
    logLevel: 'info',
    logger,
    onChange: () => undefined,
    program: new URL('../../support/recording-bfd.ts', import.meta.url),
  });
  t.after(() => bfd.stop());
  bfd.setSessions([session]);
  await eventually('the process runs', () => bfd.processStatus());
  const received = async () => (await bfd.events()).map(({ event }) => (event as ToBfd).kind);
  return { bfd, received };
}

describe('the handle on the BFD process', () => {
  test('sends no sessions to the process after passOn(), whatever edit arrives', async (t) => {
    const { bfd, received } = await setUp(t);
    await bfd.passOn();
    bfd.setSessions([{ ...session, detectMultiplier: 5 }]);
    bfd.setSessions([]);
    assert.deepEqual(await received(), ['sessions', 'pass-on']);
  });

  test('starts no process after stop(), whatever edit arrives', async (t) => {
    const { bfd } = await setUp(t);
    await bfd.stop();
    bfd.setSessions([{ ...session, detectMultiplier: 5 }]);
    await eventually('no process runs', () => !process.getActiveResourcesInfo().includes('ProcessWrap'));
  });
});
