import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EventRecord } from '../../../src/kubernetes/events.ts';
import type { MemberStatus } from '../../../src/layer2/messages.ts';
import { Layer2Reports } from '../../../src/speaker/layer2-reports.ts';
import { service } from './fixtures.ts';

const address = '192.0.2.241';
const since = '2026-01-02T03:04:05Z';

function setUp() {
  const lines: string[] = [];
  const changes: string[] = [];
  const events: EventRecord[] = [];
  const reports = new Layer2Reports({
    nodeName: 'node-1',
    events: {
      record: (event) => {
        events.push(event);
        lines.push(`${event.reason} ${event.message}`);
      },
    },
    configMap: () => ({ namespace: 'bellman-system', uid: 'u' }),
    servicesOf: () => [service('web', [address])],
    reconciler: {
      started: (announcing, services) =>
        void lines.push(`started ${announcing.address} ${services.map(({ name }) => name)}`),
      stopped: (stopped) => void lines.push(`stopped ${stopped}`),
      partitionEnded: () => void lines.push('partition ended'),
    },
    onAnswering: (changed, isAnswering) => void changes.push(`${changed} ${isAnswering}`),
    onMembers: () => {},
    firstOwners: { seen: ({ address: seen, node }) => void lines.push(`seen ${seen} on ${node}`) },
  });
  const conflict = (action: 'defended' | 'yielded') =>
    reports.handle({ kind: 'conflict', address, mac: '02:00:00:00:00:09', interface: 'eth0', action });
  const announce = (started: boolean) =>
    reports.handle({
      kind: 'announcing',
      started: started ? [{ address, interfaces: ['eth0'], since }] : [],
      stopped: started ? [] : [address],
    });
  return { reports, lines, changes, events, conflict, announce };
}

describe('Layer2Reports', () => {
  test('keeps the addresses that the node answers for, and passes them on to the reconciler of the announcing record', () => {
    const { reports, lines, changes, announce } = setUp();
    announce(true);
    assert.deepEqual([...reports.owned], [[address, since]]);
    announce(false);
    assert.deepEqual([...reports.owned], []);
    assert.deepEqual(changes, [`${address} true`, `${address} false`]);
    assert.deepEqual(lines, [`started ${address} web`, `stopped ${address}`]);
  });

  test('keeps the links that the layer-2 process reports, until that process ends', () => {
    const { reports } = setUp();
    assert.equal(reports.links, undefined);
    reports.handle({ kind: 'links', links: [{ name: 'eth0', subnets: ['192.0.2.0/24'] }] });
    assert.deepEqual(reports.links, [{ name: 'eth0', subnets: ['192.0.2.0/24'] }]);
    reports.handle({ kind: 'stopped' });
    assert.equal(reports.links, undefined);
  });

  test('shows which foreign host uses an address until this node answers for the address', () => {
    const { reports, lines, conflict, announce } = setUp();
    conflict('yielded');
    assert.deepEqual([...reports.inUse], [[address, '02:00:00:00:00:09 on eth0']]);
    assert.match(
      lines[0] ?? '',
      /^AddressConflict 02:00:00:00:00:09 on eth0 of node node-1 claims 192\.0\.2\.241/,
    );
    announce(true);
    assert.deepEqual([...reports.inUse], []);
    conflict('defended');
    assert.deepEqual([...reports.inUse], [], 'the node defends the address and keeps answering');
  });

  test('records that the witnesses of an address get no answer, and shows it until one gets an answer or the node stops answering', () => {
    const { reports, lines, announce } = setUp();
    const unverified = { kind: 'unverified', address, witnesses: ['node-2', 'node-3'] } as const;
    announce(true);
    reports.handle({ ...unverified, isGivenUp: false });
    assert.deepEqual([...reports.unverified], [[address, 'node-2 and node-3']]);
    assert.match(lines.at(-1) ?? '', /^AddressNotVerified .*: the node still announces the address/);
    reports.handle({ kind: 'verified', address });
    assert.deepEqual([...reports.unverified], []);
    reports.handle({ ...unverified, isGivenUp: true });
    assert.match(lines.at(-1) ?? '', /: another node takes the address over/);
    announce(false);
    assert.deepEqual([...reports.unverified], []);
  });

  test('tells the reconciler of the announcing record that a partition has ended when a dead member becomes alive or suspect', () => {
    const { reports, lines } = setUp();
    const seen = (...states: readonly MemberStatus['state'][]) => {
      const members = states.map((state, i) => ({
        node: `node-${i + 2}`,
        state,
        address: '192.0.2.12',
        since,
      }));
      reports.handle({ kind: 'members', members });
      return lines.splice(0);
    };
    assert.deepEqual(seen('alive'), []);
    assert.deepEqual(seen('suspect', 'alive'), []);
    assert.deepEqual(seen('alive', 'dead'), []);
    assert.deepEqual(seen('alive', 'dead'), []);
    assert.deepEqual(seen('alive', 'alive'), ['partition ended']);
    assert.deepEqual(seen('alive', 'alive'), []);
    assert.deepEqual(seen('alive', 'dead'), []);
    assert.deepEqual(
      seen('alive', 'suspect'),
      ['partition ended'],
      'others suspect it, so it has been heard',
    );
    assert.deepEqual(seen('alive', 'alive'), []);
    assert.deepEqual(seen('alive', 'dead'), []);
    assert.deepEqual(seen('alive', 'left'), []);
  });

  test('records an event on the ConfigMap when a speaker uses an unknown key', () => {
    const { reports, events } = setUp();
    reports.handle({ kind: 'unknown-key', node: 'node-2' });
    const [event] = events;
    assert.deepEqual(event?.regarding, {
      ...{ kind: 'ConfigMap', namespace: 'bellman-system', name: 'config', uid: 'u' },
    });
    assert.equal(event?.reason, 'UnknownMembershipKey');
    assert.match(event?.message ?? '', /speaker of node node-2 uses a membership key/);
    assert.doesNotMatch(event?.message ?? '', /node-1/, 'only equal events of all nodes are merged');
  });

  test('forgets everything when the layer-2 process ends', () => {
    const { reports, lines, announce } = setUp();
    announce(true);
    reports.handle({
      kind: 'members',
      members: [{ node: 'node-2', state: 'alive', address: '192.0.2.12', since }],
    });
    reports.handle({ kind: 'stopped' });
    assert.deepEqual([reports.owned.size, reports.members], [0, undefined]);
    assert.equal(lines.at(-1), `stopped ${address}`);
  });
});
