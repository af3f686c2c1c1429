import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  actsForDeadNode,
  keptMembersByKubernetes,
  membersByKubernetes,
} from '../../../../src/speaker/record/acts-for-dead-node.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

test('actsForDeadNode() is true on one live node; while at most half of the members are alive, only if Kubernetes also rules the dead node out as an announcer', () => {
  const members = (text: string) =>
    text.split(' ').map((each) => {
      const [node = '', state = 'alive'] = each.split('=');
      return { node, state: state as 'alive' | 'suspect' | 'dead' | 'left' };
    });
  const cases: readonly (readonly [string, string, string, boolean, boolean])[] = [
    // Columns: node to act for, this node, other members, whether Kubernetes rules out the node of the first column, expected result
    ['c', 'a', 'b c=dead', false, true],
    ['c', 'b', 'a c=dead', false, false],
    ['c', 'a', 'b c=suspect', false, false],
    ['a', 'a', 'b c', true, false],
    ['c', 'b', 'a=dead c=dead', false, false],
    ['c', 'b', 'a=dead c=dead', true, true],
    ['c', 'a', 'b c=left', false, true],
    ['z', 'a', 'b c', false, true],
    ['b', 'a', 'b=dead', false, false],
    ['b', 'a', 'b=dead', true, true],
  ];
  for (const [node, self, others, isOut, verdict] of cases)
    assert.equal(
      actsForDeadNode(node, { self, members: members(others), isOut: () => isOut }),
      verdict,
      `whether ${self} acts for ${node}, with the other members ${others}`,
    );
});

test('without a membership, the first node that Kubernetes does not rule out acts for the nodes that it rules out', () => {
  const known = ['a', 'b', 'c', 'd'].map((node) => ({ node, addresses: [] }));
  const isOut = (node: string) => !['b', 'c'].includes(node);
  const acts = (self: string, node: string) =>
    actsForDeadNode(node, {
      self,
      members: membersByKubernetes({ known, areCertain: true }, { self, isOut }),
      isOut,
    });
  const pairs = ['b', 'c'].flatMap((self) =>
    ['a', 'b', 'c', 'd', 'gone'].map((node) => [self, node] as const),
  );
  assert.deepEqual(
    pairs.filter(([self, node]) => acts(self, node)),
    [
      ['b', 'a'],
      ['b', 'd'],
      ['b', 'gone'],
    ],
  );
});

test('without a membership, a sweep over the records judges every other speaker once, and a later sweep sees changes', () => {
  const clock = new VirtualClock();
  const known = Array.from({ length: 100 }, (_, i) => ({ node: `n${i}`, addresses: [] }));
  const out = new Set<string>();
  let judged = 0;
  const isOut = (node: string) => {
    judged++;
    return out.has(node);
  };
  const members = keptMembersByKubernetes({
    clock,
    speakers: () => ({ known, areCertain: true }),
    self: 'n0',
    isOut,
  });
  const sweep = () => {
    judged = 0;
    return known
      .filter(({ node }) => actsForDeadNode(node, { self: 'n0', members: members(), isOut }))
      .map(({ node }) => node);
  };
  assert.deepEqual(sweep(), []);
  assert.equal(judged, 99);
  out.add('n7');
  clock.advance(2000);
  assert.deepEqual(sweep(), ['n7']);
});
