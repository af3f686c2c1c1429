import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bBeforeC,
  entry,
  forA,
  forB,
  type Given,
  mail,
  patienceMs,
  Subject,
  settleMs,
  web,
} from './subject.ts';

const cases: readonly {
  readonly name: string;
  readonly given: Given;
  /** Each step, and the actions that it causes. */
  readonly steps: readonly (readonly [(subject: Subject) => string[], readonly string[]])[];
}[] = [
  {
    name: 'nothing is decided before the start, whatever views, entries and claims arrive and however long it takes',
    given: { entries: [entry(forA), entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.pass(5000), []],
      [(subject) => subject.see({ live: ['a'] }), []],
      [(subject) => subject.put(entry(mail, { recordedOwner: 'a', observedVersion: 1 })), []],
      [(subject) => subject.hear(forB, 'b', 1), []],
      [(subject) => subject.see({}), []],
      [
        (subject) => subject.start(),
        [`answer ${web} failover from a`, `answer ${mail} recorded from a`, `claim ${mail} 1 by a from a`],
      ],
    ],
  },
  {
    name: 'the elected node claims a new address once no further address has arrived for 100 ms',
    given: { entries: [entry(forA)] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(settleMs - 1), []],
      [
        (subject) => subject.pass(1),
        [`probe ${forA} first from no owner`, `claim ${forA} 1 by a from no owner`],
      ],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'a live and eligible owner keeps its address, whatever the record and the loads say',
    given: {
      entries: [entry(web, { recordedOwner: 'a' }), entry(mail)],
      claims: { [web]: 'b', [mail]: 'b' },
    },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'a restarted node that finds its own claims answers for their addresses again',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [[(subject) => subject.start(), [`answer ${web} failover from a`]]],
  },
  {
    name: 'a node that finds its own claim on an address without a Service releases the address',
    given: { claims: { [web]: 'a', [mail]: 'b' } },
    steps: [[(subject) => subject.start(), [`release ${web} 2 by a`]]],
  },
  {
    name: 'the recorded owner takes an unclaimed address without waiting',
    given: { entries: [entry(forB, { recordedOwner: 'a', observedVersion: 1 })] },
    steps: [
      [(subject) => subject.start(), [`answer ${forB} recorded from a`, `claim ${forB} 1 by a from a`]],
    ],
  },
  {
    name: 'a recorded owner whose entry has no version claims without a previous owner, because the others would take the claim for a release if it named its own node',
    given: { entries: [entry(forB, { recordedOwner: 'a' })] },
    steps: [
      [
        (subject) => subject.start(),
        [`answer ${forB} recorded from a`, `claim ${forB} 1 by a from no owner`],
      ],
    ],
  },
  {
    name: 'another node that is the recorded owner gets time to claim, and keeps the address if it claims in time',
    given: { entries: [entry(forA, { recordedOwner: 'b' })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(patienceMs - 1), []],
      [(subject) => subject.hear(forA, 'b', 1, 'b'), []],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'a recorded owner that does not claim is passed over after a second, and the address is probed',
    given: { entries: [entry(web, { recordedOwner: 'b', candidates: ['a', 'b'] })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(patienceMs - 1), []],
      [(subject) => subject.pass(1), [`probe ${web} handover from b`, `claim ${web} 1 by a from b`]],
    ],
  },
  {
    name: 'the elected node probes when the recorded owner is dead and no claim of that owner was ever received',
    given: { entries: [entry(web, { recordedOwner: 'b', candidates: ['a', 'b'] })], live: ['a', 'c'] },
    steps: [[(subject) => subject.start(), [`probe ${web} failover from b`, `claim ${web} 1 by a from b`]]],
  },
  {
    name: 'a dead owner is replaced at once, and does not get its address back when it returns',
    given: { entries: [entry(forA, { recordedOwner: 'b' })], claims: { [forA]: 'b' } },
    steps: [
      [(subject) => subject.start(), []],
      [
        (subject) => subject.see({ live: ['a', 'c'] }),
        [`answer ${forA} failover from b`, `claim ${forA} 2 by a from b`],
      ],
      [(subject) => subject.see({}), []],
      [(subject) => subject.put(entry(forA, { recordedOwner: 'b' })), []],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'a node that returns does not take back an address that another node claimed in its absence',
    given: { entries: [entry(forA, { recordedOwner: 'a' })], claims: { [forA]: 'c' } },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'an owner that restarted before its death was noticed loses its address at once, for good',
    given: { entries: [entry(forA)], claims: { [forA]: 'b' } },
    steps: [
      [(subject) => subject.start(), []],
      [
        (subject) => subject.see({ starting: ['b'] }),
        [`answer ${forA} failover from b`, `claim ${forA} 2 by a from b`],
      ],
      [(subject) => subject.see({}), []],
    ],
  },
  {
    name: 'in a minority, a node answers for a restarted owner until that owner is ready',
    given: { entries: [entry(web, { candidates: ['a', 'b'] })], claims: { [web]: 'b' }, minority: true },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.see({ live: ['a'], minority: true }), [`answer ${web} failover from b`]],
      [(subject) => subject.see({ live: ['a', 'b'], starting: ['b'], minority: true }), []],
      [(subject) => subject.see({ live: ['a', 'b'], minority: true }), [`silence ${web}: b owns it`]],
    ],
  },
  {
    name: 'a claim of a node that has observed a newer version is respected, although the older local entry excludes that node',
    given: { entries: [entry(web, { candidates: ['a'], observedVersion: 5 })], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.hear(web, 'b', 2, 'a', { observedVersion: 6 }), [`silence ${web}: b owns it`]],
      [(subject) => subject.pass(10_000), []],
      [(subject) => subject.put(entry(web, { candidates: ['a', 'b'], observedVersion: 6 })), []],
      [
        (subject) => subject.put(entry(web, { candidates: ['a'], observedVersion: 7 })),
        [`answer ${web} handover from b`, `claim ${web} 3 by a from b`],
      ],
    ],
  },
  {
    name: 'a claim of a node that has observed an older version is overruled when the newer local entry excludes that node',
    given: { entries: [entry(web, { candidates: ['a'], observedVersion: 5 })], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.hear(web, 'b', 2, 'a', { observedVersion: 4 }), [`claim ${web} 3 by a from b`]],
    ],
  },
  {
    name: 'a leaving node loses its address, even if it has observed a newer version',
    given: { entries: [entry(web, { candidates: ['a'], observedVersion: 5 })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(web, 'b', 2, 'a', { observedVersion: 6 }), []],
      [
        (subject) => subject.see({ leaving: ['b'] }),
        [`answer ${web} handover from b`, `claim ${web} 3 by a from b`],
      ],
    ],
  },
  {
    name: 'an owner that is no longer a candidate waits a second for a successor, then releases the address but answers until another node claims it',
    given: { entries: [entry(web, { observedVersion: 5 })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(web, 'a', 2, '', { observedVersion: 5 }), [`answer ${web} failover from a`]],
      [(subject) => subject.put(entry(web, { candidates: ['b'], observedVersion: 6 })), []],
      [(subject) => subject.pass(patienceMs), [`release ${web} 3 by a to a successor`]],
      [(subject) => subject.hear(web, 'b', 4, 'a'), [`silence ${web}: b owns it`]],
    ],
  },
  {
    name: 'an owner that has released its address claims it again when it becomes a candidate again before another node takes the address over',
    given: { entries: [entry(web, { observedVersion: 5 })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(web, 'a', 2, '', { observedVersion: 5 }), [`answer ${web} failover from a`]],
      [(subject) => subject.put(entry(web, { candidates: ['b'], observedVersion: 6 })), []],
      [(subject) => subject.pass(patienceMs), [`release ${web} 3 by a to a successor`]],
      [
        (subject) => subject.put(entry(web, { observedVersion: 7 })),
        [`announce ${web} again`, `claim ${web} 4 by a from a`],
      ],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'an owner that becomes a candidate again while it may not claim takes its released address back as soon as it may claim',
    given: { entries: [entry(web, { observedVersion: 5 })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(web, 'a', 2, '', { observedVersion: 5 }), [`answer ${web} failover from a`]],
      [(subject) => subject.put(entry(web, { candidates: ['b'], observedVersion: 6 })), []],
      [(subject) => subject.pass(patienceMs), [`release ${web} 3 by a to a successor`]],
      [(subject) => subject.see({ suspicion: true }), []],
      [(subject) => subject.put(entry(web, { observedVersion: 7 })), [`announce ${web} again`]],
      [(subject) => subject.see({}), [`claim ${web} 4 by a from a`]],
    ],
  },
  {
    name: 'an owner that becomes a candidate again takes its released address back, although the version of its entry is unknown',
    given: { entries: [entry(web, { observedVersion: 5 })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(web, 'a', 2, '', { observedVersion: 5 }), [`answer ${web} failover from a`]],
      [(subject) => subject.put(entry(web, { candidates: ['b'], observedVersion: 6 })), []],
      [(subject) => subject.pass(patienceMs), [`release ${web} 3 by a to a successor`]],
      [(subject) => subject.put(entry(web)), [`announce ${web} again`, `claim ${web} 4 by a from no owner`]],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'a release by an owner that is cut off loses to a takeover of the same epoch',
    given: { entries: [entry(web, { observedVersion: 5 })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(web, 'a', 2, '', { observedVersion: 5 }), [`answer ${web} failover from a`]],
      [(subject) => subject.see({ unlinked: ['a'] }), []],
      [(subject) => subject.see({ live: ['a', 'c'], unlinked: ['a'] }), []],
      [(subject) => subject.pass(patienceMs), [`release ${web} 3 by a to a successor`]],
      [
        (subject) => subject.see({ live: ['a'], unlinked: ['a'], minority: true }),
        [`silence ${web}: no node is eligible`, `release ${web} 3 by a`],
      ],
      [(subject) => subject.see({ live: ['a'], minority: true }), [`probe ${web} first from no owner`]],
      [(subject) => subject.hear(web, 'b', 3, 'a', { observedVersion: 5 }), []],
      [(subject) => subject.see({ minority: true }), [`silence ${web}: b owns it`]],
      [(subject) => subject.see({}), []],
    ],
  },
  {
    name: 'when the releasing node has observed a newer version, the address is left alone until an entry with a still newer version arrives',
    given: { entries: [entry(forA, { observedVersion: 5 })], claims: { [forA]: 'b' } },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(forA, '', 2, 'b', { observedVersion: 6 }), []],
      [(subject) => subject.pass(10_000), []],
      [(subject) => subject.see({ live: ['a'] }), []],
      [(subject) => subject.put(entry(forA, { observedVersion: 7 })), []],
      [
        (subject) => subject.pass(settleMs),
        [`probe ${forA} first from no owner`, `claim ${forA} 3 by a from no owner`],
      ],
    ],
  },
  {
    name: 'a node stops answering when an owner that has observed a newer version releases the address',
    given: {
      entries: [entry(web, { observedVersion: 5 })],
      minority: true,
      claims: { [web]: 'b' },
      live: ['a'],
    },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from b`]],
      [
        (subject) => subject.hear(web, '', 2, 'b', { observedVersion: 6 }),
        [`silence ${web}: no Service uses it any more`],
      ],
    ],
  },
  {
    name: 'an owner marks its claim as in conflict, and its successor probes and keeps the mark until the address is free',
    given: { entries: [entry(forA)], claims: { [forA]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${forA} failover from a`]],
      [(subject) => subject.setConflict(forA, true), [`claim ${forA} 2 by a from no owner, in conflict`]],
      [(subject) => subject.setConflict(forA, true), []],
      [(subject) => subject.hear(forA, 'b', 3, 'a', { inConflict: true }), [`silence ${forA}: b owns it`]],
      [
        (subject) => subject.see({ live: ['a', 'c'] }),
        [`probe ${forA} failover from b`, `claim ${forA} 4 by a from b, in conflict`],
      ],
      [(subject) => subject.setConflict(forA, false), [`claim ${forA} 5 by a from b`]],
    ],
  },
  {
    name: 'when a conflict ends while the owner may not claim, the owner claims the address without the mark as soon as it may claim',
    given: { entries: [entry(forA)], claims: { [forA]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${forA} failover from a`]],
      [(subject) => subject.setConflict(forA, true), [`claim ${forA} 2 by a from no owner, in conflict`]],
      [(subject) => subject.see({ suspicion: true }), []],
      [(subject) => subject.setConflict(forA, false), []],
      [(subject) => subject.see({ minority: true }), []],
      [(subject) => subject.see({}), [`claim ${forA} 3 by a from no owner`]],
      [(subject) => subject.see({ suspicion: true }), []],
      [(subject) => subject.see({}), []],
    ],
  },
  {
    name: 'when a conflict ends before the successor may claim, the later claim of the successor is not marked as in conflict',
    given: { entries: [entry(forA)], claims: { [forA]: 'b' } },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(forA, 'b', 2, '', { inConflict: true }), []],
      [(subject) => subject.see({ live: ['a', 'c'], suspicion: true }), [`probe ${forA} failover from b`]],
      [(subject) => subject.setConflict(forA, false), []],
      [(subject) => subject.see({ live: ['a', 'c'] }), [`claim ${forA} 3 by a from b`]],
    ],
  },
  {
    name: 'a successor probes when the previous owner may not have had time to probe',
    given: { entries: [entry(forA)] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(forA, 'b', 1), []],
      [
        (subject) => subject.see({ live: ['a', 'c'] }),
        [`probe ${forA} failover from b`, `claim ${forA} 2 by a from b`],
      ],
    ],
  },
  {
    name: 'in a handover the successor answers first and then claims',
    given: { entries: [entry(web, { candidates: ['a', 'b'] })], claims: { [web]: 'b' } },
    steps: [
      [(subject) => subject.start(), []],
      [
        (subject) => subject.see({ leaving: ['b'] }),
        [`answer ${web} handover from b`, `claim ${web} 2 by a from b`],
      ],
    ],
  },
  {
    name: 'in a handover the old owner answers until it sees the claim of its successor',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.put(entry(web, { candidates: ['b', 'c'] })), []],
      [(subject) => subject.pass(900), []],
      [(subject) => subject.hear(web, 'b', 2, 'a'), [`silence ${web}: b owns it`]],
    ],
  },
  {
    name: 'in a handover to a node that does not act, the old owner keeps answering',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.see({ leaving: ['a'] }), []],
      [(subject) => subject.pass(10_000), []],
      [(subject) => subject.hear(web, 'c', 2, 'a'), [`silence ${web}: c owns it`]],
    ],
  },
  {
    name: 'the old owner stays when a handover is called off before a claim, and announces the address again because its successor may have announced it',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.see({ leaving: ['a'] }), []],
      [(subject) => subject.see({}), [`announce ${web} again`]],
      [(subject) => subject.put(entry(web)), []],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'without a successor the old owner stops at once, and the address has no owner',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [
        (subject) => subject.put(entry(web, { candidates: [] })),
        [`silence ${web}: no node is eligible`, `release ${web} 2 by a`],
      ],
      [(subject) => subject.pass(10_000), []],
      [
        (subject) => subject.put(entry(web, { candidates: ['a'] })),
        [`probe ${web} first from no owner`, `claim ${web} 3 by a from no owner`],
      ],
    ],
  },
  {
    name: 'an elected node that does not claim is passed over after a second',
    given: { entries: [entry(forB, { candidates: ['a', 'b'] })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(settleMs + patienceMs - 1), []],
      [
        (subject) => subject.pass(1),
        [`probe ${forB} first from no owner`, `claim ${forB} 1 by a from no owner`],
      ],
      [(subject) => subject.hear(forB, 'b', 2), [`silence ${forB}: b owns it`]],
    ],
  },
  {
    name: 'other events do not prolong the second within which an elected node must claim',
    given: { entries: [entry(forB, { candidates: ['a', 'b'] })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(settleMs + 600), []],
      [(subject) => subject.hear(mail, 'c', 1), []],
      [(subject) => subject.pass(399), []],
      [
        (subject) => subject.pass(1),
        [`probe ${forB} first from no owner`, `claim ${forB} 1 by a from no owner`],
      ],
    ],
  },
  {
    name: 'nodes are passed over one after another, and each gets a full second again once a minority has ended',
    given: { entries: [entry(bBeforeC)], claims: { [bBeforeC]: 'd' } },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(patienceMs + 500), []],
      [(subject) => subject.see({ minority: true }), []],
      [(subject) => subject.pass(10_000), []],
      [(subject) => subject.see({}), []],
      [(subject) => subject.pass(2 * patienceMs - 1), []],
      [
        (subject) => subject.pass(1),
        [`answer ${bBeforeC} failover from d`, `claim ${bBeforeC} 2 by a from d`],
      ],
    ],
  },
  {
    name: 'a node that is no longer the recorded owner gets its full second in the election that follows',
    given: { entries: [entry(forB, { candidates: ['a', 'b'], recordedOwner: 'b' })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(10), []],
      [(subject) => subject.put(entry(forB, { candidates: ['a', 'b'] })), []],
      [(subject) => subject.pass(90), []],
      [(subject) => subject.pass(patienceMs - 1), []],
      [
        (subject) => subject.pass(1),
        [`probe ${forB} first from no owner`, `claim ${forB} 1 by a from no owner`],
      ],
    ],
  },
  {
    name: 'an elected node gets its full second even after a long time without an eligible node',
    given: { entries: [entry(forB, { candidates: [] })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(1950), []],
      [(subject) => subject.put(entry(forB, { candidates: ['a', 'b'] })), []],
      [(subject) => subject.pass(patienceMs - 1), []],
      [
        (subject) => subject.pass(1),
        [`probe ${forB} first from no owner`, `claim ${forB} 1 by a from no owner`],
      ],
    ],
  },
  {
    name: 'a node gives way to a claim of the same epoch whose owner has the greater rendezvous weight',
    given: { entries: [entry(forB)], claims: { [forB]: 'c' }, live: ['a', 'c'] },
    steps: [
      [(subject) => subject.start(), []],
      [
        (subject) => subject.see({ live: ['a'] }),
        [`answer ${forB} failover from c`, `claim ${forB} 2 by a from c`],
      ],
      [(subject) => subject.see({ live: ['a', 'b'] }), []],
      [(subject) => subject.hear(forB, 'b', 2, 'c'), [`silence ${forB}: b owns it`]],
    ],
  },
  {
    name: 'a node in a minority answers for a dead owner without claiming, and claims once it has a majority again',
    given: { entries: [entry(forA)], claims: { [forA]: 'b' } },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.see({ live: ['a'], minority: true }), [`answer ${forA} failover from b`]],
      [(subject) => subject.pass(10_000), []],
      [(subject) => subject.see({ live: ['a', 'c'] }), [`claim ${forA} 2 by a from b`]],
    ],
  },
  {
    name: 'while a member is suspect, a node answers at once, but claims only when the suspicion is over',
    given: { entries: [entry(forA)], claims: { [forA]: 'b' } },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.see({ live: ['a', 'c'], suspicion: true }), [`answer ${forA} failover from b`]],
      [(subject) => subject.pass(500), []],
      [(subject) => subject.see({ live: ['a', 'c'] }), [`claim ${forA} 2 by a from b`]],
    ],
  },
  {
    name: 'while a member is suspect, the old owner of a handover answers until its successor claims',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.see({ leaving: ['a'], suspicion: true }), []],
      [(subject) => subject.pass(900), []],
      [(subject) => subject.hear(web, 'b', 2, 'a'), [`silence ${web}: b owns it`]],
    ],
  },
  {
    name: 'a node that answers in a minority gives the address back to its owner when the partition heals',
    given: { entries: [entry(forA)], claims: { [forA]: 'b' } },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.see({ live: ['a'], minority: true }), [`answer ${forA} failover from b`]],
      [(subject) => subject.see({ minority: true }), [`silence ${forA}: b owns it`]],
    ],
  },
  {
    name: 'the decisions of the majority hold for owners in the minority too',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.see({ live: ['a'], minority: true }), []],
      [(subject) => subject.see({ minority: true }), []],
      [(subject) => subject.hear(web, 'c', 2, 'a'), [`silence ${web}: c owns it`]],
    ],
  },
  {
    name: 'in a minority no node claims, so none is passed over',
    given: { entries: [entry(forB)], claims: { [forB]: 'c' } },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.see({ live: ['a', 'b'], minority: true }), []],
      [(subject) => subject.pass(10_000), []],
      [(subject) => subject.see({ live: ['a', 'b'] }), []],
      [(subject) => subject.pass(patienceMs - 1), []],
      [(subject) => subject.pass(1), [`answer ${forB} failover from c`, `claim ${forB} 2 by a from c`]],
    ],
  },
  {
    name: 'in a minority the successor will not claim, so the old owner stops at once',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.see({ live: ['a', 'b'], minority: true }), []],
      [
        (subject) => subject.see({ live: ['a', 'b'], leaving: ['a'], minority: true }),
        [`silence ${web}: b answers`],
      ],
    ],
  },
  {
    name: 'a node that answers in a minority stops when it hears the recorded owner again',
    given: { entries: [entry(web, { recordedOwner: 'b' })] },
    steps: [
      [(subject) => subject.see({ live: ['a'], minority: true }), []],
      [(subject) => subject.start(), [`probe ${web} failover from b`]],
      [(subject) => subject.see({ live: ['a', 'b'], minority: true }), [`silence ${web}: b answers`]],
    ],
  },
  {
    name: 'a recorded owner that answers in a minority stops at once when it is no longer recorded',
    given: { entries: [entry(forB, { recordedOwner: 'a', observedVersion: 1 })] },
    steps: [
      [(subject) => subject.see({ live: ['a', 'b'], minority: true }), []],
      [(subject) => subject.start(), [`answer ${forB} recorded from a`]],
      [(subject) => subject.put(entry(forB)), [`silence ${forB}: b answers`]],
    ],
  },
  {
    name: 'a removed address is silenced and released',
    given: { entries: [entry(web), entry(mail)], claims: { [web]: 'a', [mail]: 'b' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [
        (subject) => subject.remove(web, mail),
        [`silence ${web}: no Service uses it any more`, `release ${web} 2 by a`],
      ],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'a table removes the addresses that it does not list',
    given: { entries: [entry(web), entry(mail)], claims: { [web]: 'a', [mail]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`, `answer ${mail} failover from a`]],
      [
        (subject) => subject.table(entry(mail)),
        [`silence ${web}: no Service uses it any more`, `release ${web} 2 by a`],
      ],
    ],
  },
  {
    name: 'a node that receives its own claim on an unknown address from other nodes releases the address',
    given: {},
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(web, 'a', 4), [`release ${web} 5 by a`]],
    ],
  },
  {
    name: 'a change of interfaces adjusts an address only on the node that answers for the address',
    given: { entries: [entry(web), entry(mail)], claims: { [web]: 'a', [mail]: 'b' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.put(entry(web, { interfaces: ['eth0'] })), [`adjust ${web} eth0`]],
      [(subject) => subject.put(entry(web, { interfaces: ['eth0'] })), []],
      [(subject) => subject.put(entry(mail, { interfaces: ['eth0'] })), []],
    ],
  },
];

for (const { name, given, steps } of cases)
  test(name, () => {
    const subject = new Subject(given);
    for (const [i, [step, actions]] of steps.entries())
      assert.deepEqual(step(subject), actions, `step ${i + 1}`);
  });

test('a vacancy without an eligible node needs no wake-up', () => {
  const subject = new Subject({
    entries: [entry(web, { candidates: [] }), entry(mail)],
    claims: { [mail]: 'b' },
  });
  subject.start();
  subject.pass(settleMs);
  assert.equal(subject.ownership.wakeAtMs(), Number.POSITIVE_INFINITY);
});

test('a node does not pass a successor over while its own claims are paused', () => {
  const subject = new Subject({ entries: [entry(forB)], claims: { [forB]: 'd' }, suspicion: true });
  assert.deepEqual(subject.start(), []);
  assert.deepEqual(subject.pass(5 * patienceMs), []);
  assert.deepEqual(subject.see({}), []);
  assert.notDeepEqual(subject.pass(2 * patienceMs), []);
});
