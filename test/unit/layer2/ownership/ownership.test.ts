import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp } from '../../../../src/address/index.ts';
import type { AddressEntry } from '../../../../src/layer2/address-entry.ts';
import { type Claim, isReleasedByOwner } from '../../../../src/layer2/ownership/claim.ts';
import { ClaimStore } from '../../../../src/layer2/ownership/claim-store.ts';
import { electOwners } from '../../../../src/layer2/ownership/election.ts';
import type { OwnershipAction, OwnershipEvent } from '../../../../src/layer2/ownership/event.ts';
import type { NodeFacts } from '../../../../src/layer2/ownership/node-facts.ts';
import { Ownership } from '../../../../src/layer2/ownership/ownership.ts';
import { complete } from '../../../../src/layer2/ownership/steps.ts';
import { addressEntry, firstClaim, nodeFacts } from '../../../support/layer2-cluster.ts';

const web = '192.0.2.1';
const mail = '192.0.2.2';
const settleMs = 100;
const patienceMs = 1000;

interface Seen {
  /** Live nodes. Nodes in `leaving` are handing over, and nodes in `starting` have restarted. */
  readonly live?: readonly string[];
  readonly starting?: readonly string[];
  readonly leaving?: readonly string[];
  /** Nodes without a link that carries any address. */
  readonly unlinked?: readonly string[];
  readonly minority?: boolean;
  readonly suspicion?: boolean;
}

interface Given extends Seen {
  readonly entries?: readonly AddressEntry[];
  /** Owners by address, as claims of epoch 1. */
  readonly claims?: Readonly<Record<string, string>>;
}

/** The ownership machine of node `a`. Its claims are merged as the runner merges them. All methods return the actions as text. */
class Subject {
  readonly claims = new ClaimStore();
  readonly ownership = new Ownership('a', this.claims);
  now = 0;

  constructor({ entries = [], claims = {}, ...seen }: Given) {
    for (const [address, owner] of Object.entries(claims)) this.claims.merge(firstClaim(address, owner));
    assert.deepEqual(this.see(seen), []);
    assert.deepEqual(this.put(...entries), []);
  }

  start(): string[] {
    return this.#send({ kind: 'started' });
  }

  see({ live = ['a', 'b', 'c'], minority = false, suspicion = false, ...seen }: Seen): string[] {
    const facts = (name: string): [string, NodeFacts] => [
      name,
      nodeFacts({
        isLeaving: seen.leaving?.includes(name) ?? false,
        isStarting: seen.starting?.includes(name) ?? false,
        ...(seen.unlinked?.includes(name) ? { links: [] } : {}),
      }),
    ];
    const claiming = minority ? 'refused' : suspicion ? 'paused' : 'allowed';
    return this.#send({ kind: 'view', view: { nodes: new Map(live.map(facts)), claiming } });
  }

  put(...entries: readonly AddressEntry[]): string[] {
    return this.#send({ kind: 'change', upsert: entries, remove: [] });
  }

  remove(...addresses: readonly string[]): string[] {
    const removals = addresses.map((address) => ({ address, observedVersion: 0 }));
    return this.#send({ kind: 'change', upsert: [], remove: removals });
  }

  table(...entries: readonly AddressEntry[]): string[] {
    return this.#send({ kind: 'table', entries });
  }

  hear(address: string, owner: string, epoch: number, from = '', over: Partial<Claim> = {}): string[] {
    assert.equal(this.claims.merge({ ...firstClaim(address, owner), epoch, from, ...over }), 'newer');
    return this.#hearClaims([address]);
  }

  setConflict(address: string, inConflict: boolean): string[] {
    return this.#send({ kind: 'conflict', address, inConflict });
  }

  /** Lets time pass and sends every tick that falls due. */
  pass(ms: number): string[] {
    const actions: string[] = [];
    const end = this.now + ms;
    for (let at = this.ownership.wakeAtMs(); at <= end; at = this.ownership.wakeAtMs()) {
      assert.ok(at > this.now, 'each wake-up is later than the one before');
      this.now = at;
      actions.push(...this.#send({ kind: 'tick' }));
    }
    this.now = end;
    return actions;
  }

  #hearClaims(addresses: readonly string[]): string[] {
    return [...this.#send({ kind: 'claims-received', addresses }), ...this.#send({ kind: 'tick' })];
  }

  #send(event: OwnershipEvent): string[] {
    const actions = complete(this.ownership.handle(event, this.now));
    const claims = actions.flatMap((action) => (action.kind === 'claim' ? action.claims : []));
    for (const claim of claims) assert.equal(this.claims.merge(claim), 'newer');
    const texts = actions.flatMap(textOf);
    if (claims.length === 0) return texts;
    const addresses = claims.map(({ address }) => address);
    return [...texts, ...this.#send({ kind: 'claims-published', addresses })];
  }
}

function textOf(action: OwnershipAction): string[] {
  switch (action.kind) {
    case 'answer':
      return [
        `${action.mustProbe ? 'probe' : 'answer'} ${formatIp(action.address)} ${action.reason} from ${action.from || 'no owner'}`,
      ];
    case 'adjust':
      return [`adjust ${formatIp(action.address)} ${action.entry.interfaces}`];
    case 'silence':
      return [`silence ${formatIp(action.address)}: ${action.reason}`];
    case 'claim':
      return action.claims.map(claimText);
  }
}

function claimText(claim: Claim): string {
  const { address, owner, epoch, from, inConflict } = claim;
  if (owner === '') return `release ${address} ${epoch} by ${from}`;
  if (isReleasedByOwner(claim)) return `release ${address} ${epoch} by ${from} to a successor`;
  return `claim ${address} ${epoch} by ${owner} from ${from || 'no owner'}${inConflict ? ', in conflict' : ''}`;
}

function entry(address: string, over: Partial<AddressEntry> = {}): AddressEntry {
  return addressEntry(address, over.candidates ?? ['a', 'b', 'c'], over);
}

/** The node elected for a single address when no node owns anything. */
function elected(address: string, eligible: readonly string[]): string {
  const vacant = [{ address, group: address, eligible }];
  return complete(electOwners(vacant, { load: () => 0, ownersOf: () => [] })).get(address) ?? '';
}

/** An address for which `owner` is elected among itself and `others`. */
function addressOf(owner: string, others: readonly string[]): string {
  for (let host = 10; host < 250; host++)
    if (elected(`192.0.2.${host}`, [owner, ...others]) === owner) return `192.0.2.${host}`;
  throw new Error('no address is elected for the node');
}

/** An address for which `b` is elected first, then `c`, then `a`. */
function addressOfAll(): string {
  for (let host = 10; host < 250; host++) {
    const address = `192.0.2.${host}`;
    if (elected(address, ['a', 'b', 'c']) === 'b' && elected(address, ['a', 'c']) === 'c') return address;
  }
  throw new Error('no address has this order of nodes');
}

const bBeforeC = addressOfAll();
const forA = addressOf('a', ['b', 'c']);
const forB = addressOf('b', ['a', 'c']);

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
    name: 'a claim made from a newer version is respected, although the older local entry excludes its owner',
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
    name: 'a claim made from an older version is overruled when the newer local entry excludes its owner',
    given: { entries: [entry(web, { candidates: ['a'], observedVersion: 5 })], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.hear(web, 'b', 2, 'a', { observedVersion: 4 }), [`claim ${web} 3 by a from b`]],
    ],
  },
  {
    name: 'a claim made from a newer version does not protect a leaving node',
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
    name: 'a release that was sent into a partition loses to a takeover of the same epoch',
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
    name: 'an address released from a newer version is left alone until a still newer entry names it',
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
    name: 'a node stops answering when the owner has released the address from a newer version',
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
    name: 'a successor probes when the previous owner had no time to probe',
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
    name: 'the old owner stays when a handover is called off before a claim',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.see({ leaving: ['a'] }), []],
      [(subject) => subject.see({}), []],
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
    name: 'other events do not prolong the second that an elected node has to claim',
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
    name: 'a node gives way to a claim that has the same epoch as its own claim and is greater',
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

test('a group stays together: its addresses go to the node that owns one of them, even if other nodes have fewer addresses', () => {
  const family = (address: string, over: Partial<AddressEntry> = {}) =>
    entry(address, { group: 'web', candidates: ['a', 'b'], ...over });
  const subject = new Subject({
    entries: [family(web), family(mail), entry('192.0.2.3')],
    claims: { [web]: 'a', '192.0.2.3': 'a' },
  });
  assert.deepEqual(subject.start(), [`answer ${web} failover from a`, 'answer 192.0.2.3 failover from a']);
  assert.deepEqual(subject.pass(settleMs), [
    `probe ${mail} first from no owner`,
    `claim ${mail} 1 by a from no owner`,
  ]);
});

test('a group moves together when its node dies', () => {
  const hosts = Array.from({ length: 8 }, (_, i) => `192.0.2.${i + 1}`);
  const subject = new Subject({
    entries: hosts.map((address, i) => entry(address, { group: `pair ${i >> 1}` })),
    claims: Object.fromEntries(hosts.map((address) => [address, 'b'])),
  });
  assert.deepEqual(subject.start(), []);
  subject.see({ live: ['a', 'c'] });
  const answered = new Set(subject.ownership.answered());
  assert.equal(answered.size, 4);
  for (let i = 0; i < hosts.length; i += 2)
    assert.equal(answered.has(hosts[i] ?? ''), answered.has(hosts[i + 1] ?? ''));
});

test('an address that has left its group or the table attracts no other address', () => {
  const mine = new Subject({ entries: [entry(web, { group: 'web' })], claims: { [web]: 'a' } });
  mine.start();
  mine.put(entry(web));
  mine.put(entry(mail, { group: 'web', candidates: ['a', 'b'] }));
  assert.deepEqual(mine.pass(settleMs), []);
  const its = new Subject({ entries: [entry(web, { group: 'web' })], claims: { [web]: 'b' } });
  its.start();
  its.remove(web);
  its.put(entry(mail, { group: 'web', candidates: ['a', 'b'] }));
  assert.deepEqual(its.pass(settleMs), [
    `probe ${mail} first from no owner`,
    `claim ${mail} 1 by a from no owner`,
  ]);
});

test('an address that its owner must give away attracts no other address', () => {
  const given = addressOf('a', ['b']);
  const sibling = addressOf('c', ['a']);
  assert.notEqual(given, sibling);
  const subject = new Subject({
    entries: [
      entry(given, { group: 'web', candidates: ['a', 'b'] }),
      entry(sibling, { group: 'web', candidates: ['a', 'c'], recordedOwner: 'gone' }),
    ],
    claims: { [given]: 'c' },
    minority: true,
  });
  subject.start();
  assert.deepEqual(subject.ownership.answered().sort(), [given, sibling].sort());
});

test('a node that receives the claims of other nodes before it learns of a loss takes the addresses that those nodes left to it', () => {
  const hosts = Array.from({ length: 30 }, (_, i) => `192.0.2.${i + 1}`);
  const candidates = ['a', 'b', 'c', 'd'];
  const given = {
    live: candidates,
    entries: hosts.map((address) => entry(address, { candidates })),
    claims: Object.fromEntries(hosts.map((address) => [address, 'b'])),
  };
  const survivors = ['a', 'c', 'd'];
  const vacant = hosts.map((address) => ({ address, group: address, eligible: survivors }));
  const all = complete(electOwners(vacant, { load: () => 0, ownersOf: () => [] }));
  const of = (owner: string) => hosts.filter((address) => all.get(address) === owner);
  for (const heard of [of('c'), of('c').slice(0, 5), of('c').slice(5)]) {
    const late = new Subject(given);
    late.start();
    for (const address of heard) late.hear(address, 'c', 2, 'b');
    late.pass(500);
    late.see({ live: survivors });
    assert.deepEqual(late.ownership.answered().sort(), of('a').sort());
  }
});

test('a node that learns of a loss late takes the address for which it is elected, although another node already took an address of the same group', () => {
  const own = addressOf('a', ['c']);
  const sibling = '192.0.2.9';
  const subject = new Subject({
    entries: [
      entry(own, { group: 'web', candidates: ['a', 'b', 'c'] }),
      entry(sibling, { group: 'web', candidates: ['b', 'c'] }),
    ],
    claims: { [own]: 'b', [sibling]: 'b' },
  });
  subject.start();
  subject.hear(sibling, 'c', 2, 'b');
  subject.see({ live: ['a', 'c'] });
  assert.deepEqual(subject.ownership.answered(), [own]);
});

for (const [what, from, afterMs, seen] of [
  ['addresses taken from the lost node at an earlier loss', 'b', 60_000, {}],
  ['addresses taken from another node', 'd', 0, {}],
  ['in a minority, where no node claims, addresses taken from the lost node', 'b', 0, { minority: true }],
] as const)
  test(`${what} count as ordinary load`, () => {
    const taken = ['192.0.2.201', '192.0.2.202', '192.0.2.203', '192.0.2.204'];
    const lost = ['192.0.2.101', '192.0.2.102', '192.0.2.103', '192.0.2.104'];
    const subject = new Subject({
      entries: [...taken, ...lost].map((address) => entry(address)),
      claims: Object.fromEntries(lost.map((address) => [address, 'b'])),
    });
    subject.start();
    for (const address of taken) subject.hear(address, 'c', 1, from);
    subject.pass(afterMs);
    subject.see({ live: ['a', 'c'], ...seen });
    assert.deepEqual(subject.ownership.answered().sort(), lost);
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

test('Ownership yields during each decision about many addresses, and its state is consistent at each yield', () => {
  const ownership = new Ownership('a', new ClaimStore());
  const entries = Array.from({ length: 500 }, (_, i) => addressEntry(`192.0.2.${i % 250}`, ['a', 'b']));
  const view = (...live: string[]): OwnershipEvent => ({
    kind: 'view',
    view: { nodes: new Map(live.map((name) => [name, nodeFacts()])), claiming: 'allowed' },
  });
  complete(ownership.handle(view('a', 'b'), 0));
  for (const [event, nowMs] of [
    [{ kind: 'table', entries }, 0],
    [{ kind: 'started' }, 0],
    [{ kind: 'tick' }, settleMs],
    [view('a'), 2 * settleMs],
  ] as const) {
    let yields = 0;
    complete(ownership.handle(event, nowMs), () => {
      yields++;
      for (const address of ownership.answered()) assert.ok(ownership.entry(address));
    });
    assert.ok(yields >= 250, `${yields} yields`);
  }
  assert.equal(ownership.answered().length, 250);
});

test('a claim of another node ends the answers when it arrives, before the next decision', () => {
  const claims = new ClaimStore();
  const ownership = new Ownership('a', claims);
  const nodes = new Map(['a', 'b'].map((name) => [name, nodeFacts()]));
  claims.merge(firstClaim(web, 'a'));
  complete(ownership.handle({ kind: 'view', view: { nodes, claiming: 'allowed' } }, 0));
  complete(ownership.handle({ kind: 'table', entries: [entry(web)] }, 0));
  complete(ownership.handle({ kind: 'started' }, 0));
  assert.deepEqual(ownership.answered(), [web]);
  claims.merge({ ...firstClaim(web, 'b'), epoch: 2, from: 'a' });
  ownership.note({ kind: 'claims-received', addresses: [web] }, 0);
  assert.deepEqual(ownership.takeActions().flatMap(textOf), [`silence ${web}: b owns it`]);
});

test('a takeover that is under way takes no address of an owner that has returned, and none that another node has claimed', () => {
  const claims = new ClaimStore();
  const ownership = new Ownership('a', claims);
  const addresses = Array.from({ length: 60 }, (_, i) => `192.0.2.${i + 1}`);
  const view = (...live: string[]) => {
    const nodes = new Map(live.map((name) => [name, nodeFacts()]));
    return { kind: 'view', view: { nodes, claiming: 'allowed' } } as const;
  };
  for (const [i, address] of addresses.entries()) claims.merge(firstClaim(address, i < 30 ? 'b' : 'c'));
  complete(ownership.handle(view('a', 'b', 'c'), 0));
  complete(ownership.handle({ kind: 'table', entries: addresses.map((address) => entry(address)) }, 0));
  complete(ownership.handle({ kind: 'started' }, 0));
  const steps = ownership.handle(view('a'), 0);
  const taken = new Set<string>();
  const take = () => {
    for (const action of ownership.takeActions())
      if (action.kind === 'answer') taken.add(formatIp(action.address));
  };
  while (taken.size < 5 && !steps.next().done) take();
  assert.equal(taken.size, 5);
  const ofC = addresses.slice(30).filter((address) => !taken.has(address));
  const [claimed = ''] = ofC;
  claims.merge({ ...firstClaim(claimed, 'd'), epoch: 2, from: 'c' });
  ownership.note(view('a', 'b', 'd'), 1);
  ownership.note({ kind: 'claims-received', addresses: [claimed] }, 1);
  const ofB = addresses.slice(0, 30).filter((address) => !taken.has(address));
  complete(steps);
  for (const address of [...ofB, claimed]) assert.ok(!ownership.isAnswering(address), address);
  for (const address of ofC.slice(1)) assert.ok(ownership.isAnswering(address), address);
});

test('a takeover costs each node steps in proportion to its addresses, however many datagrams carry the claims', () => {
  const stepsFor = (count: number) => {
    const addresses = Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    const claims = new ClaimStore();
    const ownership = new Ownership('a', claims);
    const facts = nodeFacts({ subnets: ['10.0.0.0/8'] });
    let steps = 0;
    const handle = (event: OwnershipEvent) => complete(ownership.handle(event, 0), () => steps++);
    const see = (...live: string[]) =>
      handle({
        kind: 'view',
        view: { nodes: new Map(live.map((name) => [name, facts])), claiming: 'allowed' },
      });
    for (const address of addresses) claims.merge(firstClaim(address, 'b'));
    see('a', 'b', 'c');
    handle({ kind: 'table', entries: addresses.map((address) => addressEntry(address, ['a', 'b', 'c'])) });
    handle({ kind: 'started' });
    steps = 0;
    see('a', 'c');
    const others = addresses.filter((address) => !ownership.isAnswering(address));
    for (let at = 0; at < others.length; at += 20) {
      const carried = others.slice(at, at + 20);
      for (const address of carried) claims.merge({ ...firstClaim(address, 'c'), epoch: 2, from: 'b' });
      handle({ kind: 'claims-received', addresses: carried });
      handle({ kind: 'tick' });
    }
    assert.equal(ownership.wakeAtMs(), Number.POSITIVE_INFINITY);
    return steps;
  };
  const [few, many] = [stepsFor(400), stepsFor(4000)];
  assert.ok(many < 11 * few, `${few} steps for 400 addresses, ${many} for 4,000`);
});

test('a node does not pass a successor over while its own claims are paused', () => {
  const subject = new Subject({ entries: [entry(forB)], claims: { [forB]: 'd' }, suspicion: true });
  assert.deepEqual(subject.start(), []);
  assert.deepEqual(subject.pass(5 * patienceMs), []);
  assert.deepEqual(subject.see({}), []);
  assert.notDeepEqual(subject.pass(2 * patienceMs), []);
});

const prefersA = entry(web, { preferences: { a: 50 } });
const prefersB = entry(web, { preferences: { b: 50 } });

test('a preferred node takes the address over from an eligible owner, in a handover', () => {
  const subject = new Subject({ entries: [prefersA], claims: { [web]: 'b' } });
  assert.deepEqual(subject.start(), [`answer ${web} handover from b`, `claim ${web} 2 by a from b`]);
});

test('when the preferred node returns, the owner answers until that node claims the address', () => {
  const subject = new Subject({ live: ['a', 'c'], entries: [prefersB], claims: { [web]: 'a' } });
  assert.deepEqual(subject.start(), [`answer ${web} failover from a`]);
  assert.deepEqual(subject.see({}), []);
  assert.deepEqual(subject.hear(web, 'b', 2, 'a'), [`silence ${web}: b owns it`]);
});

test('an owner keeps the address while the preferred node is not ready, leaves, has no link, or in a minority', () => {
  const subject = new Subject({ live: ['a', 'c'], entries: [prefersB], claims: { [web]: 'a' } });
  subject.start();
  for (const seen of [{ starting: ['b'] }, { leaving: ['b'] }, { unlinked: ['b'] }, { minority: true }]) {
    assert.deepEqual(subject.see(seen), [], JSON.stringify(seen));
    assert.deepEqual(subject.pass(5000), [], JSON.stringify(seen));
  }
});

test('an owner whose preferred successor does not claim goes on to answer, and releases the address to it once', () => {
  const owned = { ...firstClaim(web, 'a'), observedVersion: 7 };
  const subject = new Subject({ live: ['a', 'c'], entries: [{ ...prefersB, observedVersion: 7 }] });
  subject.claims.merge(owned);
  subject.start();
  assert.deepEqual(subject.see({}), []);
  assert.deepEqual(subject.pass(5000), [`release ${web} 2 by a to a successor`]);
});

test('when the owner is dead and the preferred node does not claim, the other nodes follow', () => {
  const subject = new Subject({ live: ['a', 'b'], entries: [prefersB], claims: { [web]: 'c' } });
  assert.deepEqual(subject.start(), []);
  assert.deepEqual(subject.pass(patienceMs), [`answer ${web} failover from c`, `claim ${web} 2 by a from c`]);
});

test('a first placement goes to a preferred node', () => {
  const subject = new Subject({ entries: [prefersA] });
  subject.start();
  assert.deepEqual(subject.pass(settleMs), [
    `probe ${web} first from no owner`,
    `claim ${web} 1 by a from no owner`,
  ]);
});

test('a node does not take an address over from an owner that has observed a newer version of the preferences', () => {
  const subject = new Subject({ entries: [{ ...prefersA, observedVersion: 5 }] });
  subject.claims.merge({ ...firstClaim(web, 'b'), observedVersion: 6 });
  assert.deepEqual(subject.start(), []);
  assert.deepEqual(subject.pass(5000), []);
});
