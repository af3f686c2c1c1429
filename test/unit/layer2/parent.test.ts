import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { Registry } from 'prom-client';
import type { ToLayer2 } from '../../../src/layer2/messages.ts';
import { createLayer2, type Layer2Options } from '../../../src/layer2/parent.ts';
import { fail, ok } from '../../../src/result.ts';
import { eventually } from '../../support/eventually.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const calmMs = 15_000;
const address = '192.0.2.1';
const all = {
  sets: [{ set: 1, observedVersion: 1, remove: [], put: { candidates: ['node-1'], interfaces: [] } }],
  upsert: [{ address, sources: [1], group: address, observedVersion: 1 }],
  remove: [],
};

/** A handle on a process that records what it receives, in virtual time. */
function setUp(t: TestContext, over: Partial<Layer2Options> = {}) {
  const clock = new VirtualClock();
  const { logger, lines } = memoryLogger();
  const reports: string[] = [];
  const layer2 = createLayer2({
    settings: {
      nodeName: 'node-1',
      port: 7946,
      conflictPolicy: 'defend',
      announceEverySeconds: 0,
      witnessEverySeconds: 0,
      adoptOnly: false,
    },
    logLevel: 'info',
    logger,
    registry: new Registry(),
    onMessage: ({ kind }) => void reports.push(kind),
    entries: () => all,
    clock,
    program: new URL('../../support/recording-layer2.ts', import.meta.url),
    ...over,
  });
  t.after(() => layer2.stop());
  const received = async () => (await layer2.events()).map(({ event }) => event as ToLayer2);
  return { clock, lines, reports, layer2, received };
}

describe('the handle on the layer-2 process', () => {
  test('runs no process before the first use, is healthy, and claims nothing', async (t) => {
    const { layer2, lines, clock } = setUp(t);
    layer2.setKeys(fail('Secret bellman-membership does not exist'));
    layer2.change(all);
    clock.advance(60_000);
    assert.deepEqual(layer2.unhealthy(), []);
    assert.equal(layer2.keyFault(), undefined);
    assert.deepEqual(await layer2.claimed([address]), new Set());
    assert.deepEqual(await layer2.events(), []);
    assert.deepEqual(lines, []);
  });

  test('gives a new process the speakers, keys and entries, and then the changes', async (t) => {
    const { layer2, received } = setUp(t);
    layer2.setSpeakers({ known: [{ node: 'node-2', addresses: ['192.0.2.12'] }], areCertain: true });
    layer2.setKeys(ok(['key']));
    layer2.use(true);
    layer2.use(true);
    layer2.change({ sets: [], upsert: [], remove: [{ address, observedVersion: 7 }] });
    assert.deepEqual(
      (await received()).map(({ kind }) => kind),
      ['speakers', 'keys', 'table', 'change'],
    );
    assert.deepEqual(await layer2.claimed([address]), new Set([address]));
  });

  test('reports a fault of the keys only while layer 2 is used', async (t) => {
    const { layer2, lines } = setUp(t);
    layer2.setKeys(fail('no keys'));
    layer2.use(true);
    assert.equal(layer2.keyFault(), 'no keys');
    layer2.use(false);
    assert.equal(layer2.keyFault(), undefined);
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ['waiting for membership keys'],
    );
  });

  test('keeps the process for 15 s after layer 2 is no longer used, and then ends it', async (t) => {
    const { layer2, clock, reports, received } = setUp(t);
    layer2.use(true);
    layer2.use(false);
    clock.advance(calmMs - 1);
    assert.ok((await received()).length > 0);
    assert.deepEqual(await layer2.claimed([address]), new Set([address]));
    clock.advance(1);
    await eventually('the process is gone', () => reports.includes('stopped'));
    assert.deepEqual(layer2.unhealthy(), []);
    assert.deepEqual(await layer2.claimed([address]), new Set());
    layer2.use(true);
    assert.deepEqual(
      (await received()).map(({ kind }) => kind),
      ['speakers', 'table'],
    );
  });

  test('keeps the process when layer 2 is used again within 15 s', async (t) => {
    const { layer2, clock, reports, received } = setUp(t);
    layer2.use(true);
    for (let edits = 0; edits < 5; edits++) {
      layer2.use(false);
      clock.advance(calmMs - 1);
      layer2.use(true);
    }
    clock.advance(60_000);
    assert.deepEqual(
      (await received()).map(({ kind }) => kind),
      ['speakers', 'table'],
    );
    assert.deepEqual(reports, []);
  });

  test('reports no end of a process that never ran, because letStart() was not called', (t) => {
    const { layer2, clock, lines } = setUp(t, { isHeldBack: true });
    layer2.use(true);
    layer2.use(false);
    clock.advance(calmMs);
    assert.deepEqual(
      lines.filter(({ msg }) => String(msg).includes('ends')),
      [],
    );
  });

  test('starts no process after stop()', async (t) => {
    const { layer2, reports } = setUp(t);
    layer2.use(true);
    await layer2.stop();
    layer2.use(false);
    layer2.use(true);
    assert.deepEqual(reports, ['stopped']);
    assert.deepEqual(await layer2.events(), []);
  });
});
