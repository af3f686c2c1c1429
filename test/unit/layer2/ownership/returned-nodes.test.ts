import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReturnedNodes } from '../../../../src/layer2/ownership/returned-nodes.ts';
import { firstClaim, nodeFacts } from '../../../support/layer2-cluster.ts';

const web = '192.0.2.1';
const restarted = nodeFacts({ isStarting: true });

for (const [what, returned, claim, isAnnounced] of [
  ['its own address', { b: nodeFacts() }, firstClaim(web, 'a'), true],
  ['its own address', { b: restarted }, firstClaim(web, 'a'), false],
  ['its own address', { b: restarted, c: nodeFacts() }, firstClaim(web, 'a'), true],
  ['an address that it took over', { b: restarted }, { ...firstClaim(web, 'a'), from: 'b' }, true],
  ['an address that it took over', { c: restarted }, { ...firstClaim(web, 'a'), from: 'b' }, false],
  ['an address that another node claims', { b: nodeFacts() }, firstClaim(web, 'b'), false],
  ['an address without a claim', { b: nodeFacts() }, undefined, false],
] as const) {
  const nodes = Object.entries(returned);
  const texts = nodes.map(
    ([node, { isStarting }]) => `${node} ${isStarting ? 'after a restart' : 'from a partition'}`,
  );
  test(`when ${texts.join(' and ')} returns, a node ${isAnnounced ? 'announces' : 'does not announce'} ${what} again`, () => {
    assert.equal(new ReturnedNodes('a', new Map(nodes)).mayHaveAnnounced(claim), isAnnounced);
  });
}
