/**
 * MetalLB v0.12.1 announces Services by BGP and in layer 2. Bellman takes over by the commands that `bellman takeover status` prints, first with
 * BIRD on the router. Each step is undone once by the command that is printed as BACK, and then taken again. Later all steps are undone, and Bellman
 * takes over once more, with FRR on the router. No address may change. No datagram may be lost, except a few while MetalLB takes over again.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { metalLbVersion } from '../../bench/rivals/paths.ts';
import { metalLbMissing, metalLbPrograms } from '../../lab/metallb/programs.ts';
import { skippedOnKubernetes } from '../../lab/start-api-server.ts';
import { frr, replaceBirdByFrr } from '../support/drain.ts';
import { ConfigMapMetalLb } from '../support/takeover/config-map-metallb.ts';
import { Rehearsal } from '../support/takeover/rehearsal.ts';

const skip =
  metalLbMissing(metalLbPrograms(metalLbVersion)) ??
  skippedOnKubernetes('takeover-resources.test.ts does the same with a newer MetalLB');

describe('a takeover from the ConfigMap of MetalLB', { concurrency: false, skip }, () => {
  let rehearsal: Rehearsal;

  before(async () => {
    rehearsal = await Rehearsal.start(new ConfigMapMetalLb());
  });
  after(() => rehearsal?.close());

  test('with --adopt-only, Bellman takes addresses into the books and announces nothing', async () => {
    const { takeover } = rehearsal;
    await rehearsal.withoutLoss(async () => {
      await takeover.installBellman();
      const step = await takeover.next();
      assert.match(step.text, /stop the controller of MetalLB/);
    });
    await takeover.lab.until('the speakers say what they would announce', async () => {
      const { text } = await takeover.status('text');
      assert.match(text, /adopts only: 16 addresses in the books, no conflict/);
      assert.match(text, /office +8 +8 +0 +nothing/);
      const held = /ready: 8 addresses held back, another program speaks to 192.0.2.1/g;
      assert.equal(text.match(held)?.length, 3);
      return true;
    });
  });

  test('Bellman takes over with BIRD on the router, and each step is undone and taken again, without a lost datagram', async () => {
    await rehearsal.takeOver({ undoes: true });
  });

  test('MetalLB takes over again by the commands printed as BACK, and no address changes', async () => {
    const { takeover } = rehearsal;
    await rehearsal.goBack();
    await takeover.removeBellman();
    await takeover.announced();
  });

  test('Bellman takes over with FRR on the router, and with graceful restart, without a lost datagram', async () => {
    const { takeover } = rehearsal;
    await replaceBirdByFrr(takeover.lab);
    takeover.router = frr;
    await takeover.announced();
    await takeover.installBellman({ gracefulRestart: true });
    await rehearsal.takeOver();
  });
});
