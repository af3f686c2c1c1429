import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { MemberView } from '../../../src/layer2/member-view.ts';
import type { FromLayer2 } from '../../../src/layer2/messages.ts';
import { formatFacts } from '../../../src/layer2/ownership/node-facts.ts';
import { healMs } from '../../../src/layer2/ownership/quorum.ts';
import type { Member } from '../../../src/membership/member-table.ts';
import { VirtualClock, virtualEpochMs } from '../../support/virtual-clock.ts';

const facts = (over: {
  readonly isLeaving?: boolean;
  readonly isStarting?: boolean;
  readonly host?: number;
}) =>
  formatFacts(
    [
      {
        index: 1,
        name: 'eth0',
        mac: Uint8Array.of(2, 0, 0, 0, 0, over.host ?? 1),
        subnets: [{ family: 4, value: 0xc0000200n, length: 24 }],
        epoch: 0,
      },
    ],
    () => true,
    { isLeaving: over.isLeaving ?? false, isStarting: over.isStarting ?? false },
  ).text;

/** The view of node `a`, with a membership that the test writes. */
class Fixture {
  readonly clock = new VirtualClock();
  readonly reported: FromLayer2[] = [];
  readonly log: string[] = [];
  readonly returned: string[] = [];
  readonly members = new Map<string, Member>();
  speakers: ReadonlySet<string> = new Set();
  unreachable: string[] = [];
  readonly view = new MemberView({
    nodeName: 'a',
    clock: this.clock,
    logger: pino(
      { base: null, timestamp: false },
      {
        write: (line) => {
          const { msg, node } = JSON.parse(line) as { msg: string; node: string };
          this.log.push(`${msg}: ${node}`);
        },
      },
    ),
    report: (message) => this.reported.push(message),
    setSpeakerMacs: (macs) => {
      this.speakers = macs;
    },
    onReturn: (node) => this.returned.push(node),
  });

  readonly membership = {
    members: () => this.members.values(),
    member: (name: string) => this.members.get(name),
    unreachable: () => this.unreachable,
  };

  set(name: string, state: Member['state'], metadata = facts({ host: name.charCodeAt(0) - 96 })): void {
    this.members.set(name, {
      ...{ name, state, metadata, leaf: 0 },
      incarnation: 1,
      endpoint: { host: '192.0.2.9', port: 7946 },
      sinceMs: 0,
      heardAtMs: 0,
      answeredAtMs: 0,
      rtt: { smoothedMs: 1, deviationMs: 1 },
      isHearsay: false,
    });
  }

  update(isCertain = false) {
    return this.view.update(this.membership, facts({}), { isCertain, isStarted: true });
  }
}

describe('MemberView', () => {
  test('contains live members with their facts, and this node as ready', () => {
    const fixture = new Fixture();
    fixture.set('b', 'alive', facts({ isStarting: true }));
    fixture.set('c', 'suspect', facts({ isLeaving: true }));
    fixture.set('d', 'dead');
    fixture.set('e', 'left');
    const { nodes } = fixture.update();
    assert.deepEqual(
      [...nodes].map(([name, { isStarting, isLeaving }]) => [name, isStarting, isLeaving]),
      [
        ['b', true, false],
        ['c', false, true],
        ['a', false, false],
      ],
    );
  });

  test('passes on the MACs of all other speakers, including dead ones', () => {
    const fixture = new Fixture();
    fixture.set('b', 'alive');
    fixture.set('d', 'dead');
    fixture.update();
    assert.deepEqual([...fixture.speakers], ['02:00:00:00:00:02', '02:00:00:00:00:04']);
  });

  test('reports each member with the wall time of its last state change', () => {
    const fixture = new Fixture();
    fixture.set('b', 'alive');
    fixture.clock.advance(5000);
    fixture.update();
    assert.deepEqual(fixture.reported, [
      {
        kind: 'members',
        members: [
          {
            node: 'b',
            state: 'alive',
            address: '192.0.2.9',
            since: new Date(virtualEpochMs).toISOString(),
          },
        ],
      },
    ]);
  });

  test('pauses claims while a member is suspect, and refuses them in a minority and while the partition heals', () => {
    const fixture = new Fixture();
    for (const name of ['b', 'c']) fixture.set(name, 'alive');
    assert.equal(fixture.update().claiming, 'allowed');
    fixture.set('b', 'suspect');
    assert.equal(fixture.update().claiming, 'paused');
    for (const name of ['b', 'c']) fixture.set(name, 'dead');
    fixture.unreachable = ['b', 'c'];
    assert.equal(fixture.update().claiming, 'refused');
    for (const name of ['b', 'c']) fixture.set(name, 'alive');
    fixture.unreachable = [];
    assert.equal(fixture.update().claiming, 'refused');
    assert.equal(fixture.view.wakeAtMs(), healMs);
    fixture.clock.advance(healMs);
    assert.equal(fixture.update().claiming, 'allowed');
  });

  test('counts an unreachable speaker as missing only if it is a dead member, or if the list of speakers comes from their Pods', () => {
    const fixture = new Fixture();
    fixture.unreachable = ['b', 'c'];
    assert.equal(fixture.update(false).claiming, 'allowed');
    assert.equal(fixture.update(true).claiming, 'refused');
  });

  test('logs each loss and each return once', () => {
    const fixture = new Fixture();
    fixture.set('b', 'dead');
    fixture.set('c', 'left');
    fixture.view.logLosses(
      [
        { name: 'b', heardAtMs: 7 },
        { name: 'c', heardAtMs: 9 },
      ],
      fixture.membership,
    );
    assert.equal(fixture.view.lastHeardAtMs('b'), 7);
    fixture.set('b', 'alive');
    fixture.update();
    fixture.update();
    assert.deepEqual(fixture.log, ['speaker lost: b', 'speaker has left: c', 'speaker is back: b']);
    assert.deepEqual(fixture.returned, ['b']);
  });

  test('forgets the time of a loss when the member is ready again, so that no later takeover is measured from it', () => {
    const fixture = new Fixture();
    fixture.set('b', 'left');
    fixture.view.logLosses([{ name: 'b', heardAtMs: 7 }], fixture.membership);
    fixture.update();
    assert.equal(fixture.view.lastHeardAtMs('b'), 7);
    fixture.set('b', 'alive', facts({ isStarting: true }));
    fixture.update();
    assert.equal(
      fixture.view.lastHeardAtMs('b'),
      7,
      'its addresses may still be taken over because of that loss',
    );
    fixture.set('b', 'alive');
    fixture.update();
    fixture.set('b', 'alive', facts({ isStarting: true }));
    fixture.update();
    assert.equal(fixture.view.lastHeardAtMs('b'), undefined);
  });

  test('forgets when a forgotten member was lost, and still reports the return of this member', () => {
    const fixture = new Fixture();
    fixture.set('b', 'dead');
    fixture.view.logLosses([{ name: 'b', heardAtMs: 7 }], fixture.membership);
    fixture.view.forget(['b']);
    assert.equal(fixture.view.lastHeardAtMs('b'), undefined);
    fixture.set('b', 'alive');
    fixture.update();
    assert.deepEqual(fixture.returned, ['b']);
  });
});
