import type { AddressEntry } from '../../src/layer2/address-entry.ts';
import type { Claim } from '../../src/layer2/ownership/claim.ts';
import { ClaimPayloads } from '../../src/layer2/ownership/claim-payloads.ts';
import { ClaimStore } from '../../src/layer2/ownership/claim-store.ts';
import { electOwners } from '../../src/layer2/ownership/election.ts';
import type { OwnershipEvent } from '../../src/layer2/ownership/event.ts';
import type { NodeFacts } from '../../src/layer2/ownership/node-facts.ts';
import { Ownership } from '../../src/layer2/ownership/ownership.ts';
import { complete } from '../../src/layer2/ownership/steps.ts';
import { Knowledge } from '../../src/membership/knowledge.ts';
import { LocalMember } from '../../src/membership/local-member.ts';
import { MemberTable } from '../../src/membership/member-table.ts';
import { addressEntry, nodeFacts } from '../../test/support/layer2-cluster.ts';
import { events } from './events.ts';
import { addressOf, nodeName } from './fixtures.ts';
import type { Sweep, Work } from './sweep.ts';

const addressSizes = [1000, 3000, 10_000, 30_000, 100_000] as const;
const quickAddresses = [200, 800, 3200] as const;
const memberSizes = [10, 100, 1000, 5000] as const;
const quickMembers = [10, 50, 250] as const;
/** The hash tree has 64 buckets. Members compare the leaves of a bucket only if it holds more than 16 claims, so these sizes exceed 64 × 16. */
const comparedSizes = [3000, 10_000, 30_000, 100_000] as const;
const quickCompared = [2000, 6000, 18_000] as const;
const self = nodeName(0);
const endpoint = { host: '192.0.2.1', port: 7946 };
const subnets = ['10.0.0.0/8'];

function claimOf(i: number, owner: string, epoch = 1): Claim {
  return { address: addressOf(i), owner, epoch, from: '', observedVersion: 1, inConflict: false };
}

/** The knowledge of a member in a cluster of `members` live members, with `claims` claims of node 1. */
function knowledgeOf(members: number, claims: number) {
  const store = new ClaimStore();
  const table = new MemberTable();
  for (let i = 1; i < members; i++) {
    const update = { kind: 'member', name: nodeName(i), state: 'alive', incarnation: 1 } as const;
    table.merge({ ...update, endpoint, metadata: '' }, 0);
    store.setLive(nodeName(i), true);
  }
  for (let i = 0; i < claims; i++) store.merge(claimOf(i, nodeName(1)));
  const local = new LocalMember({ name: self, incarnation: 1, port: endpoint.port, metadata: '' });
  return { store, table, knowledge: new Knowledge(local, table, new ClaimPayloads(store)) };
}

/** A newer claim on one address, and the summary that the next packet carries. */
function claimMerges(claims: number): Work {
  const { store, knowledge } = knowledgeOf(10, claims);
  return events(claims, (i, lap) => {
    store.merge(claimOf(i, nodeName(1), 2 + lap));
    knowledge.summary();
  });
}

/** A newer statement about one member, and the summary that the next packet carries. */
function memberMerges(members: number): Work {
  const { table, knowledge } = knowledgeOf(members, 1000);
  return events(members - 1, (i, lap) => {
    const update = { kind: 'member', name: nodeName(1 + i), state: 'alive', incarnation: 2 + lap } as const;
    if (table.merge({ ...update, endpoint, metadata: '' }, 0) !== 'newer')
      throw new Error('a merge without work');
    knowledge.summary();
  });
}

/**
 * Of two members, one lacks a claim. They compare their digests. If the bucket that differs holds more than 16 claims, they also compare the leaves
 * of this bucket.
 */
function comparisons(claims: number): Work {
  const { store, knowledge } = knowledgeOf(10, claims);
  const digests = knowledge.digests();
  const claim = claimOf(claims, nodeName(1));
  const before = new Map(Array.from(digests.payloads.keys(), (bucket) => [bucket, branchOf(bucket)]));
  function branchOf(bucket: number) {
    return knowledge.branch({ tree: 'payloads', bucket });
  }
  store.merge(claim);
  return {
    units: 1,
    run: () => {
      const { branches } = knowledge.compare(digests, true);
      const [branch = undefined] = branches.map(({ bucket }) => before.get(bucket));
      if (branch === undefined || branches.length !== 1) throw new Error('the leaves are not compared');
      knowledge.compareLeaves(branch);
    },
  };
}

/** The ownership machine of node 0. Node 1 owns ten addresses of the cluster, and nodes 2 and above own all others. */
class ScaledOwnership {
  readonly claims = new ClaimStore();
  readonly #ownership = new Ownership(self, this.claims);
  readonly #facts = new Map<string, NodeFacts>();
  #nowMs = 0;

  constructor(addresses: number, nodes: number) {
    for (let i = 0; i < nodes; i++) this.#facts.set(nodeName(i), nodeFacts({ subnets }));
    const candidates = [...this.#facts.keys()];
    const entries = Array.from({ length: addresses }, (_, i): AddressEntry => {
      return { ...addressEntry(addressOf(i), [], { observedVersion: 1 }), candidates };
    });
    for (let i = 0; i < addresses; i++)
      this.claims.merge(claimOf(i, nodeName(i < 10 ? 1 : 2 + (i % (nodes - 2)))));
    this.handle({ kind: 'table', entries });
    this.#showView();
    this.handle({ kind: 'started' });
  }

  handle(event: OwnershipEvent): void {
    complete(this.#ownership.handle(event, this.#nowMs++));
  }

  /** The facts of node 1 become another object with the same values. The machine treats that as a change. */
  changeFacts(): void {
    this.#facts.set(nodeName(1), nodeFacts({ subnets }));
    this.#showView();
  }

  #showView(): void {
    this.handle({ kind: 'view', view: { nodes: new Map(this.#facts), claiming: 'allowed' } });
  }
}

/** Node 0 receives the claim of another node, which takes an address over from a third node. */
function takeovers(addresses: number): Work {
  const ownership = new ScaledOwnership(addresses, 20);
  return events(addresses, (i, lap) => {
    ownership.claims.merge(claimOf(i, nodeName(2 + ((i + 1 + lap) % 18)), 2 + lap));
    ownership.handle({ kind: 'claims-received', addresses: [addressOf(i)] });
    ownership.handle({ kind: 'tick' });
  });
}

function factChanges(addresses: number, nodes: number): Work {
  const ownership = new ScaledOwnership(addresses, nodes);
  return { units: 1, run: () => ownership.changeFacts() };
}

/** Claims in one datagram. */
const claimsPerDatagram = 20;

/** Node 1 owns all addresses and dies. Nodes 0, 2 and 3 take them over. The claims of nodes 2 and 3 arrive at node 0 in datagrams. */
function wholeTakeovers(addresses: number): Work {
  const claims = new ClaimStore();
  const ownership = new Ownership(self, claims);
  const facts = nodeFacts({ subnets });
  const all = Array.from({ length: addresses }, (_, i) => addressOf(i));
  const candidates = [0, 1, 2, 3].map(nodeName);
  let nowMs = 0;
  let epoch = 1;
  const handle = (event: OwnershipEvent) => {
    for (const action of complete(ownership.handle(event, nowMs)))
      if (action.kind === 'claim') for (const claim of action.claims) claims.merge(claim);
  };
  const see = (...live: number[]) => {
    const nodes = new Map(live.map((i) => [nodeName(i), facts]));
    handle({ kind: 'view', view: { nodes, claiming: 'allowed' } });
  };
  const receive = (some: readonly string[], owner: (i: number) => string) => {
    for (const [i, address] of some.entries())
      claims.merge({ address, owner: owner(i), epoch, from: '', observedVersion: 1, inConflict: false });
    handle({ kind: 'claims-received', addresses: some });
    handle({ kind: 'tick' });
  };
  receive(all, () => nodeName(1));
  handle({ kind: 'table', entries: all.map((address) => addressEntry(address, candidates)) });
  see(0, 1, 2, 3);
  handle({ kind: 'started' });
  return {
    units: 1,
    run: () => {
      nowMs += 10_000;
      epoch++;
      see(0, 2, 3);
      const others = all.filter((address) => !ownership.isAnswering(address));
      for (let at = 0; at < others.length; at += claimsPerDatagram)
        receive(others.slice(at, at + claimsPerDatagram), (i) => nodeName(2 + (i % 2)));
      epoch++;
      see(0, 1, 2, 3);
      receive(all, () => nodeName(1));
    },
  };
}

function elections(addresses: number, nodes: number): Work {
  const eligible = Array.from({ length: nodes }, (_, i) => nodeName(i));
  const vacant = Array.from({ length: addresses }, (_, i) => {
    return { address: addressOf(i), group: addressOf(i), eligible };
  });
  return {
    units: 1,
    run: () => void complete(electOwners(vacant, { load: () => 0, ownersOf: () => [] })),
  };
}

const byAddresses = { by: 'addresses', sizes: addressSizes, quickSizes: quickAddresses } as const;
const byMembers = { by: 'members', sizes: memberSizes, quickSizes: quickMembers } as const;

export const membershipSweeps: readonly Sweep[] = [
  { ...byAddresses, part: 'membership', work: 'one claim', kind: 'event', prepare: claimMerges },
  {
    ...byMembers,
    part: 'membership',
    work: 'one statement about a member',
    kind: 'event',
    prepare: memberMerges,
  },
  {
    ...{ part: 'membership', kind: 'event', prepare: comparisons },
    ...{ by: 'addresses', sizes: comparedSizes, quickSizes: quickCompared },
    work: 'a comparison with a member that lacks one claim',
  },
  {
    ...byAddresses,
    part: 'layer 2',
    work: 'one takeover by another node',
    kind: 'event',
    prepare: takeovers,
  },
  {
    ...{ ...byAddresses, part: 'layer 2', kind: 'whole', tables: 6, prepare: wholeTakeovers },
    work: 'a node dies, and the claims on all its addresses arrive in datagrams',
  },
  {
    ...{ ...byAddresses, part: 'layer 2', kind: 'event' },
    work: 'a node with ten addresses changes its links',
    prepare: (size) => factChanges(size, 20),
  },
  {
    ...{ ...byMembers, part: 'layer 2', kind: 'whole' },
    work: 'a node with ten addresses changes its links',
    prepare: (size) => factChanges(1000, size),
  },
  {
    ...{ ...byAddresses, part: 'layer 2', kind: 'whole', tables: 3 },
    work: 'the placement of all addresses on 100 nodes',
    prepare: (size) => elections(size, 100),
  },
  {
    ...{ ...byMembers, part: 'layer 2', kind: 'whole' },
    work: 'the placement of 1,000 addresses',
    prepare: (size) => elections(1000, size),
  },
];
