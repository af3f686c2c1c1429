/** The pods of Services are replaced one after another, while kube-proxy is a second late on all nodes. No datagram may be lost. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { LabNode } from '../../lab/fabric.ts';
import type { Lab } from '../../lab/lab.ts';
import { assertNoDatagramLost } from '../support/handover.ts';
import { replaceAnswered, replaceAnywhere, replaceRouted, startRollingLab } from '../support/rolling.ts';

/** Long enough for kube-proxy to write its rules, even on a busy machine. */
const announceDelaySeconds = 8;

describe('a rolling update', { concurrency: false }, () => {
  let lab: Lab;
  let web = '';
  let shop = '';
  let printer = '';
  let nodes: readonly [LabNode, LabNode, LabNode];

  before(async () => {
    ({ lab, web, shop, printer } = await startRollingLab(announceDelaySeconds));
    const [first, second, third] = lab.fabric.nodes;
    assert.ok(first && second && third);
    nodes = [first, second, third];
  });
  after(() => lab?.close());

  /** Each datagram is a flow of its own, because kube-proxy sends all datagrams of a flow to the same pod. */
  const newFlows = { newFlows: true };

  test('behind a Local Service by BGP loses no datagram: a node stops announcing, another begins, and the first begins again', () =>
    assertNoDatagramLost(
      lab,
      web,
      async () => {
        const [first, second, third] = nodes;
        await replaceRouted(lab, { service: 'web', address: web, from: first, to: third });
        await replaceRouted(lab, { service: 'web', address: web, from: second, to: first });
      },
      lab.fabric.far,
      newFlows,
    ));

  test('behind a Cluster Service by BGP loses no datagram', () =>
    assertNoDatagramLost(
      lab,
      shop,
      async () => {
        const [first, second, third] = nodes;
        await replaceAnywhere(lab, { service: 'shop', address: shop, from: first, to: third });
        await replaceAnywhere(lab, { service: 'shop', address: shop, from: second, to: first });
      },
      lab.fabric.far,
      newFlows,
    ));

  test('behind a Local Service in layer 2 loses no datagram', () =>
    assertNoDatagramLost(
      lab,
      printer,
      async () => {
        const [first, second] = nodes;
        await replaceAnswered(lab, { service: 'printer', address: printer, from: first, to: second });
        await replaceAnswered(lab, { service: 'printer', address: printer, from: second, to: first });
      },
      lab.fabric.near,
      newFlows,
    ));
});
