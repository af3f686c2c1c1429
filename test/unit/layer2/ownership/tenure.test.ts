import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp } from '../../../../src/address/index.ts';
import { Eligibility } from '../../../../src/layer2/ownership/eligibility.ts';
import { mayKeep } from '../../../../src/layer2/ownership/tenure.ts';
import { addressEntry, firstClaim, nodeFacts } from '../../../support/layer2-cluster.ts';

describe('mayKeep() for an owner that the entry of this node does not name', () => {
  const text = '192.0.2.1';
  const address = parseIp(text) ?? assert.fail();
  const entry = addressEntry(text, ['self'], { observedVersion: 5 });
  for (const [owner, observedVersion, expected] of [
    ['audible', 4, false],
    ['audible', 5, true],
    ['audible', 6, true],
    ['mute', 4, false],
    ['mute', 5, false],
    ['mute', 6, true],
    ['leaving', 6, false],
    ['audible', 0, false],
  ] as const)
    test(`${owner} owner, claim of version ${observedVersion}, entry of version 5: ${expected}`, () => {
      const nodes = new Map([
        ['self', nodeFacts()],
        ['audible', nodeFacts()],
        ['mute', { ...nodeFacts(), mute: new Set([text]) }],
        ['leaving', { ...nodeFacts(), isLeaving: true }],
      ]);
      const claim = { ...firstClaim(text, owner), observedVersion };
      assert.equal(mayKeep(claim, { entry, address }, 'self', new Eligibility(nodes), false), expected);
    });
});
