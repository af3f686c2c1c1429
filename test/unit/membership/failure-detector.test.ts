import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { type DetectorAction, FailureDetector } from '../../../src/membership/failure-detector.ts';
import { MemberTable } from '../../../src/membership/member-table.ts';
import type { MemberUpdate } from '../../../src/membership/packet.ts';
import { defaultMembershipSettings as settings } from '../../../src/membership/timing.ts';
import { seededRandom } from '../../support/membership-net.ts';

const endpoint = (name: string) => ({ host: name, port: 1 });

function alive(name: string, over: Partial<MemberUpdate> = {}): MemberUpdate {
  return {
    ...{ kind: 'member', name, state: 'alive', incarnation: 1 },
    ...{ endpoint: endpoint(name), metadata: `facts of ${name}`, ...over },
  } as MemberUpdate;
}

describe('FailureDetector', () => {
  let table: MemberTable;
  let detector: FailureDetector;

  beforeEach(() => {
    table = new MemberTable();
    detector = new FailureDetector(settings, table, seededRandom(1));
  });

  function meet(...names: readonly string[]): void {
    for (const name of names) table.merge(alive(name), 0);
  }

  /** Runs the detector until `untilMs` and returns its actions as text. Members in `answering` acknowledge each ping at once. */
  function run(untilMs: number, answering: readonly string[] = []): string[] {
    const log: string[] = [];
    for (
      let now = Math.max(0, detector.wakeAtMs());
      now <= untilMs;
      now = Math.max(now, detector.wakeAtMs())
    ) {
      const actions = detector.wake(now);
      for (const action of actions) {
        log.push(textOf(action));
        if (action.kind !== 'send' || action.draft.body.kind !== 'ping') continue;
        const { to, body } = action.draft;
        if (answering.includes(to)) detector.acknowledged(to, body.sequence, to, now);
      }
      if (actions.length === 0 && detector.wakeAtMs() <= now) now++;
    }
    return log;
  }

  function textOf(action: DetectorAction): string {
    if (action.kind === 'send') return `${action.draft.body.kind} to ${action.draft.to}`;
    if (action.kind === 'suspect') return `suspect ${action.member}`;
    return `${action.update.state}: ${action.update.name}`;
  }

  test('pings each member in turn, one per interval', () => {
    meet('b', 'c', 'd');
    const log = run(390, ['b', 'c', 'd']);
    assert.deepEqual(log.toSorted(), ['ping to b', 'ping to c', 'ping to d']);
  });

  test('pings a silent member three times and through relays, suspects it, asks verifiers, and declares it dead', () => {
    meet('b', 'c', 'd', 'e');
    const answering = ['c', 'd', 'e'];
    const log = run(10_000, answering).filter(
      (each) => !answering.some((name) => each === `ping to ${name}`),
    );
    const suspected = log.indexOf('suspect b');
    assert.deepEqual(log.slice(0, 3), ['ping to b', 'ping to b', 'ping to b']);
    assert.deepEqual(
      log.slice(3, suspected).toSorted(),
      answering.map((name) => `ping-request to ${name}`),
    );
    assert.deepEqual(
      log.slice(suspected + 2, suspected + 5).toSorted(),
      answering.map((name) => `verify to ${name}`),
    );
    const death = log.indexOf('dead: b');
    assert.ok(death > suspected);
  });

  test('a death update carries no metadata, and the table keeps the metadata of the member', () => {
    meet('b');
    const gone: MemberUpdate[] = [];
    for (let now = 0; now < 5000 && gone.length === 0; now += 5)
      for (const action of detector.wake(now)) if (action.kind === 'gone') gone.push(action.update);
    const [death] = gone;
    assert.ok(death);
    assert.equal(death.metadata, '');
    table.merge(death, 5000);
    assert.equal(table.get('b')?.metadata, 'facts of b');
  });

  test('a newer incarnation ends the suspicion, and the verifiers are informed', () => {
    meet('b', 'c');
    detector.wake(0);
    let now = 0;
    for (; !detector.isSuspected('b') && !detector.isSuspected('c'); now += 5) detector.wake(now);
    const [suspect, verifier] = detector.isSuspected('b') ? (['b', 'c'] as const) : (['c', 'b'] as const);
    table.merge(alive(suspect, { incarnation: 2 }), now);
    const member = table.get(suspect);
    assert.ok(member);
    assert.deepEqual(detector.cleared(member).map(textOf), [`gossip to ${verifier}`]);
    assert.equal(detector.isSuspected(suspect), false);
  });

  test('a suspect whose packets still arrive is not declared dead until it is silent', () => {
    meet('b', 'c');
    const heard = (now: number) => {
      const member = table.get('b');
      if (member) member.heardAtMs = now;
    };
    const step = (from: number, to: number, isHeard: boolean) => {
      const log: string[] = [];
      for (let now = from; now < to; now += 5) {
        if (isHeard) heard(now);
        log.push(...detector.wake(now).map(textOf));
        assert.ok(detector.wakeAtMs() > now, 'the detector asks again and again to be woken at once');
      }
      return log;
    };
    // The packets of b arrive, but its acks do not.
    const log = step(0, 10_000, true);
    assert.ok(log.includes('suspect b'));
    assert.ok(!log.includes('dead: b'));
    assert.ok(step(10_000, 11_000, false).includes('dead: b'));
  });

  test('after a stall a member postpones the deaths that it would declare, and worsens its own health score', () => {
    meet('b');
    let now = 0;
    for (; !detector.isSuspected('b'); now += 5) detector.wake(now);
    detector.stalled(10_000, now);
    assert.ok(detector.healthScore > 0);
    assert.ok(!detector.wake(now + 1000).some((action) => action.kind === 'gone'));
  });

  test('pings a member whose departure another member reports, and believes the report only if no answer comes', () => {
    meet('b');
    const left = alive('b', { state: 'left' });
    assert.deepEqual(detector.questionDeparture(left, 0).map(textOf), ['ping to b']);
    const member = table.get('b');
    assert.ok(member);
    member.heardAtMs = 50;
    assert.ok(!run(140, ['b']).includes('left: b'));
    detector.questionDeparture(left, 200);
    assert.ok(run(300).includes('left: b'));
  });

  test('after a stall, a member waits for the answer to the second ping before it believes that another member has left', () => {
    meet('b');
    detector.questionDeparture(alive('b', { state: 'left' }), 0);
    detector.stalled(500, 500);
    const actions = detector.wake(500).map(textOf);
    assert.ok(!actions.includes('left: b'), actions.join(', '));
    let now = 500;
    for (; now < 600; now += 5) assert.ok(!detector.wake(now).map(textOf).includes('left: b'));
    assert.ok(detector.wake(now).map(textOf).includes('left: b'));
  });

  test('a member that stalls again and again still judges a departure', () => {
    meet('b');
    detector.questionDeparture(alive('b', { state: 'left' }), 0);
    let now = 0;
    for (let i = 0; i < 10; i++) {
      now += 50;
      detector.stalled(50, now);
      if (detector.wake(now).map(textOf).includes('left: b')) return;
    }
    for (; now < 2000; now += 50) if (detector.wake(now).map(textOf).includes('left: b')) return;
    assert.fail('the departure is never judged');
  });

  test('relays a ping and passes the ack on', () => {
    const requester = { name: 'b', endpoint: endpoint('b'), sequence: 77 };
    const [ping] = detector.relay(requester, 'c', endpoint('c'), 0);
    assert.ok(ping?.kind === 'send' && ping.draft.body.kind === 'ping');
    const [ack] = detector.acknowledged('c', ping.draft.body.sequence, 'c', 1);
    assert.ok(ack?.kind === 'send');
    assert.deepEqual([ack.draft.to, ack.draft.body], ['b', { kind: 'ack', sequence: 77, target: 'c' }]);
  });
});
