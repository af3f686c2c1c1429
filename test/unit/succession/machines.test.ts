import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  acceptDeadlineMs,
  connectDeadlineMs,
  initialPredecessorState,
  type PredecessorAction,
  type PredecessorEvent,
  type PredecessorState,
  readyDeadlineMs,
  stepPredecessor,
} from '../../../src/succession/predecessor.ts';
import { type SuccessionRecord, successionVersion } from '../../../src/succession/record.ts';
import {
  greeting,
  initialSuccessorState,
  type SuccessorAction,
  type SuccessorEvent,
  type SuccessorState,
  stepSuccessor,
} from '../../../src/succession/successor.ts';

const received = (record: SuccessionRecord) => ({ kind: 'record', record }) as const;
const ready = received({ kind: 'ready' });
const accepted = received({ kind: 'accepted' });
const hello = received(greeting);
const stop = { kind: 'stop', awaitsSuccessor: false } as const;
const kinds = (actions: readonly { readonly kind: string }[]) => actions.map(({ kind }) => kind).join(' ');

/** Runs events one after another. Returns the last state, and all actions. */
function predecessor(...events: readonly PredecessorEvent[]) {
  let state = initialPredecessorState;
  const actions: PredecessorAction[] = [];
  for (const event of events) {
    const step = stepPredecessor(state, event);
    state = step.state;
    actions.push(...step.actions);
  }
  return { state, actions };
}

function successor(...events: readonly SuccessorEvent[]) {
  let state = initialSuccessorState;
  const actions: SuccessorAction[] = [];
  for (const event of events) {
    const step = stepSuccessor(state, event);
    state = step.state;
    actions.push(...step.actions);
  }
  return { state, actions };
}

describe('the process that serves', () => {
  const connected = { kind: 'connected' } as const;
  const table: readonly (readonly [
    name: string,
    events: readonly PredecessorEvent[],
    phase: PredecessorState['phase'],
    actions: string,
  ])[] = [
    ['keeps everything when it stops without a successor', [stop], 'kept', 'stop-deadline disconnect keep'],
    ['greets a successor', [connected], 'greeting', 'send'],
    ['accepts a successor of its version', [connected, hello], 'standby', 'send'],
    [
      'refuses a successor of another version',
      [connected, received({ kind: 'hello', version: successionVersion + 1 })],
      'alone',
      'send disconnect',
    ],
    [
      'offers the sessions when it stops and the successor is ready',
      [connected, hello, ready, stop],
      'offering',
      'send stop-deadline start-deadline offer',
    ],
    [
      'waits for a successor that is not ready, and then offers the sessions',
      [connected, hello, stop, ready],
      'offering',
      'send start-deadline stop-deadline start-deadline offer',
    ],
    [
      'commits when the successor has accepted',
      [connected, hello, ready, stop, accepted],
      'passed',
      'send stop-deadline start-deadline offer stop-deadline commit',
    ],
    [
      'keeps everything when the successor does not accept in time',
      [connected, hello, ready, stop, { kind: 'deadline' }],
      'kept',
      'send stop-deadline start-deadline offer stop-deadline disconnect keep',
    ],
    [
      'keeps everything when the successor ends before it accepts',
      [connected, hello, ready, stop, { kind: 'closed' }],
      'kept',
      'send stop-deadline start-deadline offer stop-deadline disconnect keep',
    ],
    [
      'keeps everything when it cannot offer the sessions',
      [connected, hello, ready, stop, { kind: 'offer-failed' }],
      'kept',
      'send stop-deadline start-deadline offer stop-deadline disconnect keep',
    ],
    [
      'keeps everything when the successor is not ready in time',
      [connected, hello, stop, { kind: 'deadline' }],
      'kept',
      'send start-deadline stop-deadline disconnect keep',
    ],
    ['does not commit without an offer', [connected, hello, ready, accepted], 'alone', 'send disconnect'],
    ['takes the newest successor', [connected, hello, ready, connected], 'greeting', 'send send'],
    [
      'forgets a successor that ends',
      [connected, hello, { kind: 'closed' }, stop],
      'kept',
      'send disconnect stop-deadline disconnect keep',
    ],
    [
      'does nothing more once it keeps everything',
      [stop, connected, hello, ready, accepted],
      'kept',
      'stop-deadline disconnect keep',
    ],
  ];
  for (const [name, events, phase, actions] of table)
    test(name, () => {
      const result = predecessor(...events);
      assert.equal(result.state.phase, phase);
      assert.equal(kinds(result.actions), actions);
    });

  test('has a deadline for each wait', () => {
    const delays = (...events: PredecessorEvent[]) =>
      predecessor(...events).actions.flatMap((action) =>
        action.kind === 'start-deadline' ? action.delayMs : [],
      );
    assert.deepEqual(delays({ kind: 'stop', awaitsSuccessor: true }), [connectDeadlineMs]);
    assert.deepEqual(delays(connected, stop), [readyDeadlineMs]);
    assert.deepEqual(delays(connected, hello, ready, stop), [acceptDeadlineMs]);
  });
});

describe('the process that waits', () => {
  const item = received({ kind: 'item', octets: Uint8Array.of(1) });
  const offered = received({ kind: 'offered', items: 1 });
  const table: readonly (readonly [
    name: string,
    events: readonly SuccessorEvent[],
    phase: SuccessorState['phase'],
    actions: string,
  ])[] = [
    [
      'is ready when both have greeted each other and it is in sync',
      [hello, { kind: 'in-sync' }],
      'waiting',
      'send',
    ],
    ['is ready at the greeting if it is in sync', [{ kind: 'in-sync' }, hello], 'waiting', 'send'],
    [
      'checks what is offered, and accepts it',
      [hello, { kind: 'in-sync' }, item, offered, { kind: 'valid' }],
      'accepting',
      'send keep-item check send',
    ],
    [
      'owns the sessions after the commit',
      [hello, { kind: 'in-sync' }, item, offered, { kind: 'valid' }, received({ kind: 'committed' })],
      'inherited',
      'send keep-item check send inherit',
    ],
    [
      'gives up when the items are invalid',
      [hello, { kind: 'in-sync' }, item, offered, { kind: 'invalid' }],
      'without',
      'send keep-item check give-up',
    ],
    [
      'gives up when the other process ends before the commit',
      [hello, { kind: 'in-sync' }, item, offered, { kind: 'valid' }, { kind: 'closed' }],
      'without',
      'send keep-item check send give-up',
    ],
    [
      'takes no commit before it has accepted',
      [hello, { kind: 'in-sync' }, item, received({ kind: 'committed' })],
      'without',
      'send keep-item give-up',
    ],
    [
      'gives up when items are missing',
      [hello, { kind: 'in-sync' }, item, received({ kind: 'offered', items: 2 })],
      'without',
      'send keep-item give-up',
    ],
    ['takes no item before it is ready', [hello, item], 'without', 'give-up'],
    [
      'refuses another version',
      [received({ kind: 'hello', version: successionVersion + 1 })],
      'without',
      'give-up',
    ],
  ];
  for (const [name, events, phase, actions] of table)
    test(name, () => {
      const result = successor(...events);
      assert.equal(result.state.phase, phase);
      assert.equal(kinds(result.actions), actions);
    });
});

/** Events that a run consists of. `to-predecessor` and `to-successor` deliver the next record. They appear twice, so that they happen more often. */
const happening = fc.constantFrom(
  'to-predecessor',
  'to-successor',
  'to-predecessor',
  'to-successor',
  'stop',
  'in-sync',
  'deadline',
  'cut',
  'successor-dies',
  'offer-fails',
  'invalid',
);

test('the two processes never own the sessions at the same time, and when a process stops, it always keeps them or passes them on', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60, size: 'max' }), (happenings) => {
      let left = initialPredecessorState;
      let right = initialSuccessorState;
      const toLeft: SuccessionRecord[] = [];
      const toRight: SuccessionRecord[] = [];
      let isCut = false;
      let isInvalid = false;
      let offerFails = false;
      let owner: 'predecessor' | 'neither' | 'successor' = 'predecessor';
      let hasStopped = false;
      const runLeft = (event: PredecessorEvent): void => {
        const step = stepPredecessor(left, event);
        left = step.state;
        for (const action of step.actions)
          if (action.kind === 'send') toRight.push(action.record);
          else if (action.kind === 'offer') {
            if (offerFails) runLeft({ kind: 'offer-failed' });
            else toRight.push({ kind: 'item', octets: new Uint8Array(1) }, { kind: 'offered', items: 1 });
          } else if (action.kind === 'commit') {
            assert.equal(owner, 'predecessor');
            owner = 'neither';
            toRight.push({ kind: 'committed' });
          } else if (action.kind === 'keep') assert.equal(owner, 'predecessor');
          else if (action.kind === 'disconnect') isCut = true;
      };
      const runRight = (event: SuccessorEvent): void => {
        const step = stepSuccessor(right, event);
        right = step.state;
        for (const action of step.actions)
          if (action.kind === 'send') toLeft.push(action.record);
          else if (action.kind === 'check') runRight({ kind: isInvalid ? 'invalid' : 'valid' });
          else if (action.kind === 'inherit') {
            assert.equal(owner, 'neither');
            owner = 'successor';
          } else if (action.kind === 'give-up') isCut = true;
      };
      runLeft({ kind: 'connected' });
      toLeft.push(greeting);
      for (const what of happenings) {
        const record = what === 'to-predecessor' ? toLeft.shift() : undefined;
        const other = what === 'to-successor' ? toRight.shift() : undefined;
        if (record) runLeft(received(record));
        if (other) runRight(received(other));
        if (what === 'stop') {
          hasStopped = true;
          runLeft(stop);
        }
        if (what === 'in-sync') runRight({ kind: 'in-sync' });
        if (what === 'deadline') runLeft({ kind: 'deadline' });
        if (what === 'offer-fails') offerFails = true;
        if (what === 'invalid') isInvalid = true;
        if (what === 'cut' || what === 'successor-dies') isCut = true;
        if (what === 'successor-dies') right = { ...right, phase: 'without' };
      }
      // Records on the way arrive, except those to the predecessor on a cut connection. A cut connection then ends at both sides, and every
      // deadline passes.
      for (const record of toRight.splice(0)) runRight(received(record));
      if (isCut) runRight({ kind: 'closed' });
      if (!isCut) for (const record of toLeft.splice(0)) runLeft(received(record));
      else runLeft({ kind: 'closed' });
      for (const record of toRight.splice(0)) runRight(received(record));
      runLeft({ kind: 'deadline' });
      if (hasStopped) assert.ok(left.phase === 'kept' || left.phase === 'passed', left.phase);
      if (right.phase === 'inherited') assert.equal(left.phase, 'passed');
      if (left.phase === 'kept') assert.equal(owner, 'predecessor');
    }),
    { numRuns: 2000 },
  );
});
