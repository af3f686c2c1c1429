import assert from 'node:assert/strict';
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

export const web = '192.0.2.1';
export const mail = '192.0.2.2';
export const settleMs = 100;
export const patienceMs = 1000;

interface Seen {
  /** Live nodes. Those in `leaving` hand their addresses over, and those in `starting` have restarted and are not ready yet. */
  readonly live?: readonly string[];
  readonly starting?: readonly string[];
  readonly leaving?: readonly string[];
  /** Nodes that have no link. */
  readonly unlinked?: readonly string[];
  readonly minority?: boolean;
  readonly suspicion?: boolean;
}

export interface Given extends Seen {
  readonly entries?: readonly AddressEntry[];
  /** Owners by address, as claims of epoch 1. */
  readonly claims?: Readonly<Record<string, string>>;
}

/** The ownership machine of node `a`. Its claims are merged as the runner merges them. All methods return the actions as text. */
export class Subject {
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

export function textOf(action: OwnershipAction): string[] {
  switch (action.kind) {
    case 'answer':
      return [
        `${action.mustProbe ? 'probe' : 'answer'} ${formatIp(action.address)} ${action.reason} from ${action.from || 'no owner'}`,
      ];
    case 'adjust':
      if (action.mustAnnounce) return [`announce ${formatIp(action.address)} again`];
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

export function entry(address: string, over: Partial<AddressEntry> = {}): AddressEntry {
  return addressEntry(address, over.candidates ?? ['a', 'b', 'c'], over);
}

/** The node elected for a single address when no node owns anything. */
function elected(address: string, eligible: readonly string[]): string {
  const vacant = [{ address, group: address, eligible }];
  return complete(electOwners(vacant, { load: () => 0, ownersOf: () => [] })).get(address) ?? '';
}

/** An address for which `owner` is elected among itself and `others`. */
export function addressOf(owner: string, others: readonly string[]): string {
  for (let host = 10; host < 250; host++)
    if (elected(`192.0.2.${host}`, [owner, ...others]) === owner) return `192.0.2.${host}`;
  throw new Error('the node is elected for no address');
}

/** An address for which `b` is elected first, then `c`, then `a`. */
function addressOfAll(): string {
  for (let host = 10; host < 250; host++) {
    const address = `192.0.2.${host}`;
    if (elected(address, ['a', 'b', 'c']) === 'b' && elected(address, ['a', 'c']) === 'c') return address;
  }
  throw new Error('no address has this order of nodes');
}

export const bBeforeC = addressOfAll();
export const forA = addressOf('a', ['b', 'c']);
export const forB = addressOf('b', ['a', 'c']);
