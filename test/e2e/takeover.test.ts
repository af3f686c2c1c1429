/**
 * MetalLB v0.12.1 announces Services by BGP and in layer 2, and Bellman takes over by the commands that `bellman takeover status` prints. BIRD runs
 * on the router. No datagram may be lost, and no address may change.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { metalLbMissing, TakeoverLab } from '../support/takeover.ts';

const missing = metalLbMissing();

describe('a takeover from MetalLB', { concurrency: false, skip: missing ?? false }, () => {
  let takeover: TakeoverLab;
  let addresses: ReadonlyMap<string, string>;

  before(async () => {
    takeover = await TakeoverLab.start({ services: 8 });
    addresses = await takeover.addressesByService();
  });
  after(() => takeover?.close());

  /** Bellman takes over while clients send datagrams. */
  async function takeOver(): Promise<void> {
    const macs = await takeover.macs();
    const { lost, detail, result } = await takeover.counted(() => takeover.takeOver());
    assert.equal(lost, 0, detail);
    assert.deepEqual(await takeover.addressesByService(), addresses);
    assert.deepEqual(result, macs);
  }

  test('with --adopt-only, Bellman takes addresses into the books and announces nothing', async () => {
    const { lost, detail } = await takeover.counted(async () => {
      await takeover.installBellman();
      const step = await takeover.next();
      assert.match(step.text, /stop the controller of MetalLB/);
    });
    assert.equal(lost, 0, detail);
    assert.deepEqual(await takeover.addressesByService(), addresses);
    await takeover.lab.until('the speakers say what they would announce', async () => {
      const { text } = await takeover.status('text');
      assert.match(text, /adopts only: 16 addresses in the books, no conflict/);
      assert.match(text, /office +8 +8 +0 +nothing/);
      const held = /ready: 8 addresses held back, another program speaks to 192.0.2.1/g;
      assert.equal(text.match(held)?.length, 3);
      return true;
    });
  });

  test('Bellman takes over with BIRD on the router, without a lost datagram', () => takeOver());
});
