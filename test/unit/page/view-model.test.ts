import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxProblems } from '../../../src/page/page-data.ts';
import { pageData } from '../../../src/page/view-model.ts';
import { problemsOf } from '../../../src/report/status/problems.ts';
import type { ClusterView } from '../../../src/report/status/view.ts';
import { fail, ok } from '../../../src/result.ts';
import { largeCluster } from '../../support/page-cluster.ts';

const faulty = largeCluster({ services: 1000, nodes: 5, faulty: true });
const sound = largeCluster({ services: 1000, nodes: 5, faulty: false });

test('pageData() shows the problems of bellman status --problems and no others', () => {
  const data = pageData(faulty, '1');
  assert.deepEqual(
    data.problems,
    problemsOf(faulty).map(({ kind, object, text }) => ({ kind, object, text })),
  );
  assert.equal(data.problemCount, data.problems.length);
  assert.deepEqual(pageData(sound, '1').problems, []);
});

test('pageData() finds fault only with the nodes and sessions that a problem names', () => {
  const { nodes } = pageData(faulty, '1');
  assert.deepEqual(
    nodes.map(({ node, isAsDesired }) => [node, isAsDesired]),
    [
      ['node-1', true],
      // Its session is down.
      ['node-2', false],
      // An address that it owns is unverified. That is a problem of the address and not of the node.
      ['node-3', true],
      // It leaves, and the floor keeps no address on it.
      ['node-4', true],
      // Its speaker was not reached. The speakers of the other nodes report node-5 as dead, which makes none of those nodes faulty.
      ['node-5', false],
    ],
  );
  assert.deepEqual(
    nodes.flatMap(({ sessions }) => sessions.map(({ isAsDesired }) => isAsDesired)),
    [true, false, true, true],
  );
  assert.ok(pageData(sound, '1').nodes.every(({ isAsDesired }) => isAsDesired));
});

test('pageData() finds no fault with a node that only has the same name as a faulty peer', () => {
  const speakers = faulty.speakers.map(({ node, status }) => ({
    node,
    status: status.ok
      ? ok({ ...status.value, peers: status.value.peers.map((peer) => ({ ...peer, name: 'node-1' })) })
      : status,
  }));
  const { nodes } = pageData({ ...faulty, speakers }, '1');
  assert.deepEqual(
    nodes.map(({ isAsDesired }) => isAsDesired),
    [true, false, true, true, false],
  );
});

test('pageData() finds no fault with a node that only has the same name as the namespace of a faulty controller', () => {
  const view = {
    ...{ ...faulty, namespace: 'node-1' },
    ...(faulty.lease && { lease: { ...faulty.lease, holder: '' } }),
  };
  assert.ok(problemsOf(view).some(({ kind, object }) => kind === 'controller' && object === 'node-1'));
  assert.equal(pageData(view, '1').nodes[0]?.isAsDesired, true);
});

test('pageData() gives equal data for equal states, however old the Lease is', () => {
  const later = (view: ClusterView): ClusterView => ({
    ...view,
    ...(view.lease && { lease: { ...view.lease, ageMs: view.lease.ageMs + 5000 } }),
  });
  assert.deepEqual(pageData(later(faulty), '1'), pageData(faulty, '1'));
});

test('pageData() bounds the list of problems, and counts all', () => {
  const unreached = sound.speakers.map(({ node }) => ({ node, status: fail('no answer') }));
  const { problems, problemCount, addresses } = pageData({ ...sound, speakers: unreached }, '1');
  assert.equal(problems.length, maxProblems);
  assert.equal(problemCount, 1000 + unreached.length);
  assert.ok(addresses.every(({ isAsDesired }) => !isAsDesired));
});

test('pageData() counts the addresses that each node answers for, and those that it advertises', () => {
  const [first] = pageData(sound, '1').nodes;
  assert.deepEqual(
    [first?.answers, first?.advertises, first?.members, first?.links.map(({ name }) => name)],
    [7, 980, 4, ['eth0', 'eth1']],
  );
  const ofFaulty = pageData(faulty, '1').nodes.map(({ advertises }) => advertises);
  assert.deepEqual(ofFaulty, [979, 0, 979, 979, 0]);
});

test('pageData() does not count an address that no session carries, because the sessions are of another family', () => {
  const speakers = sound.speakers.map(({ node, status }) => ({
    node,
    status: status.ok
      ? ok({
          ...status.value,
          peers: status.value.peers.map((peer) => ({ ...peer, families: ['ipv6-unicast'] })),
        })
      : status,
  }));
  assert.deepEqual(
    pageData({ ...sound, speakers }, '1').nodes.map(({ advertises }) => advertises),
    [0, 0, 0, 0, 0],
  );
});
