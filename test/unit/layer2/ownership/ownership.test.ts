import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp } from '../../../../src/address/index.ts';
import type { AddressEntry } from '../../../../src/layer2/address-entry.ts';
import type { Claim } from '../../../../src/layer2/ownership/claim.ts';
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
  /** Live nodes; `leaving` marks one that hands over, `starting` one that has come anew. */
  readonly live?: readonly string[];
  readonly starting?: readonly string[];
  readonly leaving?: readonly string[];
  /** Of these no link carries anything. */
  readonly unlinked?: readonly string[];
  readonly minority?: boolean;
  readonly suspicion?: boolean;
}

interface Circumstances extends Seen {
  readonly entries?: readonly AddressEntry[];
  /** Owner by address, as claims of epoch 1. */
  readonly claims?: Readonly<Record<string, string>>;
}

/** The node `a`, with its own claims merged and weighed as the process does; orders as text. */
class Subject {
  readonly claims = new ClaimStore();
  readonly ownership = new Ownership('a', this.claims);
  now = 0;

  constructor({ entries = [], claims = {}, ...seen }: Circumstances) {
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

  /** Lets time pass, with every wake on the way. */
  pass(ms: number): string[] {
    const actions: string[] = [];
    const end = this.now + ms;
    for (let at = this.ownership.wakeAtMs(); at <= end; at = this.ownership.wakeAtMs()) {
      assert.ok(at > this.now, 'woken once for one reason');
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
        `${action.mustProbe ? 'probe' : 'answer'} ${formatIp(action.address)} ${action.reason} from ${action.from || 'nobody'}`,
      ];
    case 'adjust':
      return [`adjust ${formatIp(action.address)} ${action.entry.interfaces}`];
    case 'silence':
      return [`silence ${formatIp(action.address)}: ${action.reason}`];
    case 'claim':
      return action.claims.map(
        ({ address, owner, epoch, from, inConflict }) =>
          `claim ${address} ${epoch} by ${owner || 'nobody'} from ${from || 'nobody'}${inConflict ? ', in conflict' : ''}`,
      );
  }
}

function entry(address: string, over: Partial<AddressEntry> = {}): AddressEntry {
  return addressEntry(address, over.candidates ?? ['a', 'b', 'c'], over);
}

/** Whom the placement names for a single address when nobody owns anything. */
function placed(address: string, eligible: readonly string[]): string {
  const vacant = [{ address, group: address, eligible }];
  return complete(electOwners(vacant, { load: () => 0, ownersOf: () => [] })).get(address) ?? '';
}

/** An address that falls to `owner`, before those of `others`. */
function addressOf(owner: string, others: readonly string[]): string {
  for (let host = 10; host < 250; host++)
    if (placed(`192.0.2.${host}`, [owner, ...others]) === owner) return `192.0.2.${host}`;
  throw new Error('no address falls to the node');
}

/** One that falls to `b`, without it to `c`, and to `a` last. */
function addressOfAll(): string {
  for (let host = 10; host < 250; host++) {
    const address = `192.0.2.${host}`;
    if (placed(address, ['a', 'b', 'c']) === 'b' && placed(address, ['a', 'c']) === 'c') return address;
  }
  throw new Error('no address falls to the nodes in this order');
}

const bBeforeC = addressOfAll();
const forA = addressOf('a', ['b', 'c']);
const forB = addressOf('b', ['a', 'c']);

const cases: readonly {
  readonly name: string;
  readonly given: Circumstances;
  /** Each happening, and the orders that it brings. */
  readonly steps: readonly (readonly [(subject: Subject) => string[], readonly string[]])[];
}[] = [
  {
    name: 'nothing is decided before the start: not by views, entries, claims or time',
    given: { entries: [entry(forA), entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.pass(5000), []],
      [(subject) => subject.see({ live: ['a'] }), []],
      [(subject) => subject.put(entry(mail, { recordedOwner: 'a' })), []],
      [(subject) => subject.hear(forB, 'b', 1), []],
      [(subject) => subject.see({}), []],
      [
        (subject) => subject.start(),
        [`answer ${web} failover from a`, `answer ${mail} recorded from a`, `claim ${mail} 1 by a from a`],
      ],
    ],
  },
  {
    name: 'an address that nobody owned: the placed node claims it when what came with it has come',
    given: { entries: [entry(forA)] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(settleMs - 1), []],
      [(subject) => subject.pass(1), [`probe ${forA} first from nobody`, `claim ${forA} 1 by a from nobody`]],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'a claimant that lives and is eligible is the owner, whoever is recorded and however much it has',
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
    name: 'this node finds its own claims with the others: it answers again',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [[(subject) => subject.start(), [`answer ${web} failover from a`]]],
  },
  {
    name: 'it finds claims of its own for an address that is in the table no more: it releases them',
    given: { claims: { [web]: 'a', [mail]: 'b' } },
    steps: [[(subject) => subject.start(), [`claim ${web} 2 by nobody from a`]]],
  },
  {
    name: 'the recorded owner keeps an address that nobody has claimed, without waiting',
    given: { entries: [entry(forB, { recordedOwner: 'a' })] },
    steps: [
      [(subject) => subject.start(), [`answer ${forB} recorded from a`, `claim ${forB} 1 by a from a`]],
    ],
  },
  {
    name: 'another recorded owner is left the time to claim, and holds the address when it does',
    given: { entries: [entry(forA, { recordedOwner: 'b' })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(patienceMs - 1), []],
      [(subject) => subject.hear(forA, 'b', 1, 'b'), []],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'a recorded owner that does not claim is passed over after a second',
    given: { entries: [entry(web, { recordedOwner: 'b', candidates: ['a', 'b'] })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(patienceMs - 1), []],
      [(subject) => subject.pass(1), [`probe ${web} handover from b`, `claim ${web} 1 by a from b`]],
    ],
  },
  {
    name: 'a recorded owner that is gone and that nobody has heard claim: the placed node probes',
    given: { entries: [entry(web, { recordedOwner: 'b', candidates: ['a', 'b'] })], live: ['a', 'c'] },
    steps: [[(subject) => subject.start(), [`probe ${web} failover from b`, `claim ${web} 1 by a from b`]]],
  },
  {
    name: 'a dead owner is replaced at once; when it comes back it finds its address with the other',
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
    name: 'the addresses of this node have gone to another while it was away: it leaves them there',
    given: { entries: [entry(forA, { recordedOwner: 'a' })], claims: { [forA]: 'c' } },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'an owner that has come back before it was missed is not ready: its address is taken at once, and stays',
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
    name: 'in a minority it answers for an owner that starts until that one is ready',
    given: { entries: [entry(web, { candidates: ['a', 'b'] })], claims: { [web]: 'b' }, minority: true },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.see({ live: ['a'], minority: true }), [`answer ${web} failover from b`]],
      [(subject) => subject.see({ live: ['a', 'b'], starting: ['b'], minority: true }), []],
      [(subject) => subject.see({ live: ['a', 'b'], minority: true }), [`silence ${web}: b owns it`]],
    ],
  },
  {
    name: 'a claim by a newer picture is respected, whatever the older one says of the claimant',
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
    name: 'a claim by an older picture is taken from a claimant that the newer one rules out',
    given: { entries: [entry(web, { candidates: ['a'], observedVersion: 5 })], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.hear(web, 'b', 2, 'a', { observedVersion: 4 }), [`claim ${web} 3 by a from b`]],
    ],
  },
  {
    name: 'a newer picture does not keep alive who is dead, leaves, or has no link',
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
    name: 'who ought to go and is not followed lets anybody follow, and answers until then',
    given: { entries: [entry(web, { observedVersion: 5 })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(web, 'a', 2, '', { observedVersion: 5 }), [`answer ${web} failover from a`]],
      [(subject) => subject.put(entry(web, { candidates: ['b'], observedVersion: 6 })), []],
      [(subject) => subject.pass(patienceMs), [`claim ${web} 3 by a from a`]],
      [(subject) => subject.hear(web, 'b', 4, 'a'), [`silence ${web}: b owns it`]],
    ],
  },
  {
    name: 'who gives an address up where nobody hears it takes nothing from who has taken it over meanwhile',
    given: { entries: [entry(web, { observedVersion: 5 })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(web, 'a', 2, '', { observedVersion: 5 }), [`answer ${web} failover from a`]],
      [(subject) => subject.see({ unlinked: ['a'] }), []],
      [(subject) => subject.see({ live: ['a', 'c'], unlinked: ['a'] }), []],
      [(subject) => subject.pass(patienceMs), [`claim ${web} 3 by a from a`]],
      [
        (subject) => subject.see({ live: ['a'], unlinked: ['a'], minority: true }),
        [`silence ${web}: no node is eligible`, `claim ${web} 3 by nobody from a`],
      ],
      [(subject) => subject.see({ live: ['a'], minority: true }), [`probe ${web} first from nobody`]],
      [(subject) => subject.hear(web, 'b', 3, 'a', { observedVersion: 5 }), []],
      [(subject) => subject.see({ minority: true }), [`silence ${web}: b owns it`]],
      [(subject) => subject.see({}), []],
    ],
  },
  {
    name: 'an address that a newer picture knows no Service of is left alone, until a newer one knows one again',
    given: { entries: [entry(forA, { observedVersion: 5 })], claims: { [forA]: 'b' } },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(forA, '', 2, 'b', { observedVersion: 6 }), []],
      [(subject) => subject.pass(10_000), []],
      [(subject) => subject.see({ live: ['a'] }), []],
      [(subject) => subject.put(entry(forA, { observedVersion: 7 })), []],
      [
        (subject) => subject.pass(settleMs),
        [`probe ${forA} first from nobody`, `claim ${forA} 3 by a from nobody`],
      ],
    ],
  },
  {
    name: 'who hears that the address it answers for has no Service any more falls silent',
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
    name: 'who finds another host at its address says so; who follows it probes, and inherits the doubt',
    given: { entries: [entry(forA)], claims: { [forA]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${forA} failover from a`]],
      [(subject) => subject.setConflict(forA, true), [`claim ${forA} 2 by a from nobody, in conflict`]],
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
    name: 'who follows an owner that had no time to probe probes',
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
    name: 'handover, as the next owner: it answers first and claims then',
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
    name: 'handover, as the old owner: it answers until it sees the claim',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.put(entry(web, { candidates: ['b', 'c'] })), []],
      [(subject) => subject.pass(900), []],
      [(subject) => subject.hear(web, 'b', 2, 'a'), [`silence ${web}: b owns it`]],
    ],
  },
  {
    name: 'handover to a node that does not act: the old owner goes on answering, however long',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.see({ leaving: ['a'] }), []],
      [(subject) => subject.pass(10_000), []],
      [(subject) => subject.hear(web, 'c', 2, 'a'), [`silence ${web}: c owns it`]],
    ],
  },
  {
    name: 'handover that is called off before anybody claimed: the old owner stays',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.see({ leaving: ['a'] }), []],
      [(subject) => subject.see({}), []],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'without a next owner the old one falls silent at once, and nobody owns the address',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [
        (subject) => subject.put(entry(web, { candidates: [] })),
        [`silence ${web}: no node is eligible`, `claim ${web} 2 by nobody from a`],
      ],
      [(subject) => subject.pass(10_000), []],
      [
        (subject) => subject.put(entry(web, { candidates: ['a'] })),
        [`probe ${web} first from nobody`, `claim ${web} 3 by a from nobody`],
      ],
    ],
  },
  {
    name: 'a placed node that has not claimed after a second is passed over',
    given: { entries: [entry(forB, { candidates: ['a', 'b'] })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(settleMs + patienceMs - 1), []],
      [(subject) => subject.pass(1), [`probe ${forB} first from nobody`, `claim ${forB} 1 by a from nobody`]],
      [(subject) => subject.hear(forB, 'b', 2), [`silence ${forB}: b owns it`]],
    ],
  },
  {
    name: 'what else happens meanwhile does not prolong the second',
    given: { entries: [entry(forB, { candidates: ['a', 'b'] })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(settleMs + 600), []],
      [(subject) => subject.hear(mail, 'c', 1), []],
      [(subject) => subject.pass(399), []],
      [(subject) => subject.pass(1), [`probe ${forB} first from nobody`, `claim ${forB} 1 by a from nobody`]],
    ],
  },
  {
    name: 'one after another is passed over, and all have a second again when this node has been in a minority',
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
    name: 'an owner is recorded no more: its second ends, but it is not passed over in the placement that follows',
    given: { entries: [entry(forB, { candidates: ['a', 'b'], recordedOwner: 'b' })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(10), []],
      [(subject) => subject.put(entry(forB, { candidates: ['a', 'b'] })), []],
      [(subject) => subject.pass(90), []],
      [(subject) => subject.pass(patienceMs - 1), []],
      [(subject) => subject.pass(1), [`probe ${forB} first from nobody`, `claim ${forB} 1 by a from nobody`]],
    ],
  },
  {
    name: 'a node has its second from when the address fell to it, however long nobody was eligible before',
    given: { entries: [entry(forB, { candidates: [] })] },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.pass(1950), []],
      [(subject) => subject.put(entry(forB, { candidates: ['a', 'b'] })), []],
      [(subject) => subject.pass(patienceMs - 1), []],
      [(subject) => subject.pass(1), [`probe ${forB} first from nobody`, `claim ${forB} 1 by a from nobody`]],
    ],
  },
  {
    name: 'of two claims of one epoch the greater counts, for the one who made the other too',
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
    name: 'a minority answers for what it must but claims nothing, and claims when it is the majority again',
    given: { entries: [entry(forA)], claims: { [forA]: 'b' } },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.see({ live: ['a'], minority: true }), [`answer ${forA} failover from b`]],
      [(subject) => subject.pass(10_000), []],
      [(subject) => subject.see({ live: ['a', 'c'] }), [`claim ${forA} 2 by a from b`]],
    ],
  },
  {
    name: 'under a suspicion it answers at once, and claims when the suspicion is over',
    given: { entries: [entry(forA)], claims: { [forA]: 'b' } },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.see({ live: ['a', 'c'], suspicion: true }), [`answer ${forA} failover from b`]],
      [(subject) => subject.pass(500), []],
      [(subject) => subject.see({ live: ['a', 'c'] }), [`claim ${forA} 2 by a from b`]],
    ],
  },
  {
    name: 'under a suspicion the old owner of a handover answers until its successor claims',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.see({ leaving: ['a'], suspicion: true }), []],
      [(subject) => subject.pass(900), []],
      [(subject) => subject.hear(web, 'b', 2, 'a'), [`silence ${web}: b owns it`]],
    ],
  },
  {
    name: 'what a minority answered for goes back to the claimant when the partition ends',
    given: { entries: [entry(forA)], claims: { [forA]: 'b' } },
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.see({ live: ['a'], minority: true }), [`answer ${forA} failover from b`]],
      [(subject) => subject.see({ minority: true }), [`silence ${forA}: b owns it`]],
    ],
  },
  {
    name: 'what the majority did holds, for those that owned in the minority too',
    given: { entries: [entry(web)], claims: { [web]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [(subject) => subject.see({ live: ['a'], minority: true }), []],
      [(subject) => subject.see({ minority: true }), []],
      [(subject) => subject.hear(web, 'c', 2, 'a'), [`silence ${web}: c owns it`]],
    ],
  },
  {
    name: 'in a minority nobody claims, so nobody is passed over for that',
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
    name: 'in a minority the next owner will not claim, so the old one falls silent at once',
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
    name: 'answering in a minority, it gives way to the recorded owner, whom it hears again',
    given: { entries: [entry(web, { recordedOwner: 'b' })] },
    steps: [
      [(subject) => subject.see({ live: ['a'], minority: true }), []],
      [(subject) => subject.start(), [`probe ${web} failover from b`]],
      [(subject) => subject.see({ live: ['a', 'b'], minority: true }), [`silence ${web}: b answers`]],
    ],
  },
  {
    name: 'answering in a minority as the recorded owner, and recorded no more: the placed node answers, without waiting',
    given: { entries: [entry(forB, { recordedOwner: 'a' })] },
    steps: [
      [(subject) => subject.see({ live: ['a', 'b'], minority: true }), []],
      [(subject) => subject.start(), [`answer ${forB} recorded from a`]],
      [(subject) => subject.put(entry(forB)), [`silence ${forB}: b answers`]],
    ],
  },
  {
    name: 'a removed address falls silent and is released',
    given: { entries: [entry(web), entry(mail)], claims: { [web]: 'a', [mail]: 'b' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`]],
      [
        (subject) => subject.remove(web, mail),
        [`silence ${web}: no Service uses it any more`, `claim ${web} 2 by nobody from a`],
      ],
      [(subject) => subject.pass(10_000), []],
    ],
  },
  {
    name: 'a table takes away what is not in it',
    given: { entries: [entry(web), entry(mail)], claims: { [web]: 'a', [mail]: 'a' } },
    steps: [
      [(subject) => subject.start(), [`answer ${web} failover from a`, `answer ${mail} failover from a`]],
      [
        (subject) => subject.table(entry(mail)),
        [`silence ${web}: no Service uses it any more`, `claim ${web} 2 by nobody from a`],
      ],
    ],
  },
  {
    name: 'a claim of its own that others bring for an address that it has not is released',
    given: {},
    steps: [
      [(subject) => subject.start(), []],
      [(subject) => subject.hear(web, 'a', 4), [`claim ${web} 5 by nobody from a`]],
    ],
  },
  {
    name: 'other interfaces for an address that it answers for: adjusted; for others: nothing',
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
    for (const [i, [happen, orders]] of steps.entries())
      assert.deepEqual(happen(subject), orders, `step ${i + 1}`);
  });

test('a group stays together: siblings go where one of them is, though others have less', () => {
  const family = (address: string, over: Partial<AddressEntry> = {}) =>
    entry(address, { group: 'web', candidates: ['a', 'b'], ...over });
  const subject = new Subject({
    entries: [family(web), family(mail), entry('192.0.2.3')],
    claims: { [web]: 'a', '192.0.2.3': 'a' },
  });
  assert.deepEqual(subject.start(), [`answer ${web} failover from a`, 'answer 192.0.2.3 failover from a']);
  assert.deepEqual(subject.pass(settleMs), [
    `probe ${mail} first from nobody`,
    `claim ${mail} 1 by a from nobody`,
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

test('an address that has left its group, or the table, draws no sibling', () => {
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
    `probe ${mail} first from nobody`,
    `claim ${mail} 1 by a from nobody`,
  ]);
});

test('who has to give an address away draws no sibling by it', () => {
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

test('the loss of one node: who hears of it late, after claims of others, takes what the others left to it', () => {
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

test('who hears late of a loss is not drawn by siblings that were lost with its own', () => {
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
  ['what was taken of the node at an earlier loss', 'b', 60_000, {}],
  ['what was taken of another node', 'd', 0, {}],
  ['what was taken of the node, to a minority, in which nobody takes the rest', 'b', 0, { minority: true }],
] as const)
  test(`a load like any other: ${what}`, () => {
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

test('without anything to wait for it wants no wake, though no node is eligible', () => {
  const subject = new Subject({
    entries: [entry(web, { candidates: [] }), entry(mail)],
    claims: { [mail]: 'b' },
  });
  subject.start();
  subject.pass(settleMs);
  assert.equal(subject.ownership.wakeAtMs(), Number.POSITIVE_INFINITY);
});

test('Ownership yields within each decision about many addresses, in a consistent state', () => {
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
