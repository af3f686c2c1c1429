import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp } from '../../../../src/address/index.ts';
import type { AddressEntry } from '../../../../src/layer2/address-entry.ts';
import type { Claim } from '../../../../src/layer2/ownership/claim.ts';
import { ClaimStore } from '../../../../src/layer2/ownership/claim-store.ts';
import type { OwnershipAction, OwnershipEvent } from '../../../../src/layer2/ownership/event.ts';
import type { NodeFacts } from '../../../../src/layer2/ownership/node-facts.ts';
import { Ownership } from '../../../../src/layer2/ownership/ownership.ts';
import { complete } from '../../../../src/layer2/ownership/steps.ts';
import { addressEntry, firstClaim, nodeFacts } from '../../../support/layer2-cluster.ts';
import { entry, forB, mail, patienceMs, settleMs, textOf, web } from './subject.ts';

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

for (const [what, facts] of [
  ['leaves', nodeFacts({ isLeaving: true })],
  ['loses its link', nodeFacts({ links: [] })],
] as const)
  test(`a node that ${what} during a takeover takes no further address`, () => {
    const claims = new ClaimStore();
    const ownership = new Ownership('a', claims);
    const addresses = Array.from({ length: 60 }, (_, i) => `192.0.2.${i + 1}`);
    const see = (own: NodeFacts, ...others: string[]) => {
      const nodes = new Map([['a', own], ...others.map((name) => [name, nodeFacts()] as const)]);
      return { kind: 'view', view: { nodes, claiming: 'allowed' } } as const;
    };
    for (const address of addresses) claims.merge(firstClaim(address, 'd'));
    complete(ownership.handle(see(nodeFacts(), 'b', 'c', 'd'), 0));
    const entries = addresses.map((address) => addressEntry(address, ['a', 'b', 'c', 'd']));
    complete(ownership.handle({ kind: 'table', entries }, 0));
    complete(ownership.handle({ kind: 'started' }, 0));
    const steps = ownership.handle(see(nodeFacts(), 'b', 'c'), 0);
    while (ownership.answeredCount < 5) assert.ok(!steps.next().done);
    ownership.note(see(facts, 'b', 'c'), 1);
    complete(steps);
    complete(ownership.handle({ kind: 'tick' }, 1));
    assert.equal(ownership.answeredCount, 5);
  });

test('the steps of a takeover grow only in proportion to the number of addresses, however many datagrams carry the claims', () => {
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

test('claims that arrive during an election do not change its result', () => {
  const addresses = Array.from({ length: 40 }, (_, i) => `192.0.2.${i + 1}`);
  const entries = addresses.map((address) => addressEntry(address, ['a', 'b', 'c', 'd']));
  const view = (...live: string[]) => {
    const nodes = new Map(live.map((name) => [name, nodeFacts()]));
    return { kind: 'view', view: { nodes, claiming: 'allowed' } } as const;
  };
  /** The claims that `node` makes after the death of d. The claims `arriving` reach it after `afterSteps` steps of its decision. */
  const claimsOf = (node: string, arriving: readonly Claim[] = [], afterSteps = 0) => {
    const claims = new ClaimStore();
    const ownership = new Ownership(node, claims);
    for (const address of addresses) claims.merge(firstClaim(address, 'd'));
    complete(ownership.handle(view('a', 'b', 'c', 'd'), 0));
    complete(ownership.handle({ kind: 'table', entries }, 0));
    complete(ownership.handle({ kind: 'started' }, 0));
    const own: Claim[] = [];
    const take = (actions: readonly OwnershipAction[]) => {
      for (const action of actions) if (action.kind === 'claim') own.push(...action.claims);
    };
    let steps = 0;
    const actions = complete(ownership.handle(view('a', 'b', 'c'), 0), () => {
      take(ownership.takeActions());
      if (steps++ !== afterSteps) return;
      for (const claim of arriving) claims.merge(claim);
      ownership.note({ kind: 'claims-received', addresses: arriving.map(({ address }) => address) }, 0);
    });
    take(actions);
    return { own, steps };
  };
  const addressesOf = (claims: readonly Claim[]) => claims.map(({ address }) => address).toSorted();
  const { own: ofB } = claimsOf('b');
  const { own: ofA, steps } = claimsOf('a');
  assert.ok(ofA.length > 0 && ofB.length > 0);
  for (let after = 0; after < steps; after++)
    assert.deepEqual(addressesOf(claimsOf('a', ofB, after).own), addressesOf(ofA), `after ${after} steps`);
});

test('an address whose claim arrives during a review of the vacancies counts only once as load of its new owner', () => {
  const nodes = new Map(['a', 'b'].map((name) => [name, nodeFacts()]));
  const see = (claiming: 'allowed' | 'paused') => ({ kind: 'view', view: { nodes, claiming } }) as const;
  const change = (...upsert: AddressEntry[]) => ({ kind: 'change', upsert, remove: [] }) as const;
  const claims = new ClaimStore();
  const ownership = new Ownership('a', claims);
  claims.merge(firstClaim(web, 'a'));
  // After this change, the node a is not a candidate any more. It answers until b has claimed the address.
  const moved = change(entry(web, { candidates: ['b'], observedVersion: 1 }));
  for (const event of [
    see('allowed'),
    change(entry(web)),
    { kind: 'started' },
    moved,
    see('paused'),
  ] as const)
    complete(ownership.handle(event, 0));
  assert.deepEqual(ownership.answered(), [web]);
  const steps = ownership.handle(see('allowed'), 0);
  assert.equal(steps.next().done, false);
  claims.merge({ ...firstClaim(web, 'b'), epoch: 2, from: 'a', observedVersion: 1 });
  ownership.note({ kind: 'claims-received', addresses: [web] }, 0);
  complete(steps);
  complete(ownership.handle({ kind: 'tick' }, 0));
  assert.deepEqual(ownership.answered(), []);
  const others = Array.from({ length: 19 }, (_, i) => addressEntry(`192.0.2.${i + 101}`, ['a', 'b']));
  complete(ownership.handle(change(...others), 0));
  complete(ownership.handle({ kind: 'tick' }, settleMs));
  assert.equal(ownership.answered().length, 10, 'each node owns half of all 20 addresses');
});

test('a suspicion that comes and goes during a decision gives the elected node another second', () => {
  const claims = new ClaimStore();
  const ownership = new Ownership('a', claims);
  const nodes = new Map(['a', 'b', 'c'].map((name) => [name, nodeFacts()]));
  const see = (claiming: 'allowed' | 'paused') => ({ kind: 'view', view: { nodes, claiming } }) as const;
  claims.merge(firstClaim(forB, 'd'));
  for (const event of [
    see('allowed'),
    { kind: 'table', entries: [entry(forB)] },
    { kind: 'started' },
  ] as const)
    complete(ownership.handle(event, 0));
  const steps = ownership.handle({ kind: 'change', upsert: [entry(mail)], remove: [] }, 0);
  assert.equal(steps.next().done, false);
  ownership.note(see('paused'), 200);
  ownership.note(see('allowed'), 900);
  complete(steps);
  complete(ownership.handle({ kind: 'tick' }, 900));
  complete(ownership.handle({ kind: 'tick' }, patienceMs));
  assert.ok(!ownership.isAnswering(forB), 'the claims of b may have been paused until 900 ms');
  complete(ownership.handle({ kind: 'tick' }, 900 + patienceMs));
  complete(ownership.handle({ kind: 'tick' }, 900 + 2 * patienceMs));
  assert.ok(ownership.isAnswering(forB));
});
