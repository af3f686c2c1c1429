/**
 * Ownership decides which addresses this node answers for. It is a machine: address entries from Kubernetes, live nodes and claims from the
 * membership, and the time go in. Actions to answer, to stop answering and to claim come out.
 *
 * An address belongs to the node that claims it, as long as that node is alive and eligible. A node that returns therefore finds that other nodes own
 * its former addresses, and it does not take them back, unless the entry prefers it to the owner. Before the first claim, the owner recorded on the
 * Service counts as the owner.
 *
 *     owner is alive, eligible, and no        it keeps the address (tenure.ts)
 *     ready node is preferred to it
 *     owner is alive and not eligible, or     handover: the successor answers and announces, then claims; the old owner stops when it
 *     a ready node is preferred to it         sees the claim, or at once when there is no successor
 *     owner is dead, or restarted and not     failover: the successor answers at once, and claims
 *     yet ready
 *     address was never claimed               the successor claims, and answers once a probe has shown that the address is free
 *
 * All members elect the same successor (election.ts), so they need not negotiate. If the successor has not learned of the address, it does
 * not claim. After a second without its claim, the other nodes pass it over and elect again (vacancies.ts). An old owner that is alive but
 * no longer eligible then also releases the address, and keeps answering. Any node may now take the address over, whatever version that
 * node has observed.
 *
 * A node in a minority answers for the addresses for which it is elected, but makes no claims (quorum.ts). The majority's decisions
 * therefore stand when a partition heals. Because no node in a minority claims, an old owner there stops at once and does not wait for its
 * successor's claim.
 *
 * Nothing is decided before the event `started`, because a node that has just started knows neither claims nor members
 * (readiness.ts).
 */
import type { AddressEntry, AddressRemoval } from '../address-entry.ts';
import { type Claim, release, releaseToSuccessor, takeOver, withConflict } from './claim.ts';
import type { ClaimStore } from './claim-store.ts';
import { electOwners, type VacantAddress } from './election.ts';
import { Eligibility } from './eligibility.ts';
import { EntryTable, type TrackedEntry } from './entry-table.ts';
import type {
  AnswerAction,
  OwnershipAction,
  OwnershipEvent,
  OwnershipView,
  SilenceAction,
  TakeoverReason,
} from './event.ts';
import type { Claiming } from './quorum.ts';
import { RecentTakeovers } from './recent-takeovers.ts';
import type { Steps } from './steps.ts';
import { isReleasedSince, mayKeep } from './tenure.ts';
import { awaitClaim, Vacancies } from './vacancies.ts';
import { type OwnedAddress, successors } from './vacancy.ts';

/** One decision while it is being made. */
interface Decision {
  readonly nowMs: number;
  readonly actions: OwnershipAction[];
  /** Claims to publish after the other actions. */
  readonly claims: Claim[];
}

const unusedReason = 'no Service uses it any more';

export class Ownership {
  readonly #self: string;
  readonly #claims: ClaimStore;
  readonly #entries: EntryTable<OwnedAddress>;
  readonly #vacancies: Vacancies;
  /** Addresses whose new claims the next decision takes into account. */
  readonly #undecided = new Set<string>();
  readonly #takeovers = new RecentTakeovers();
  /**
   * Starting nodes that have begun to claim. A claim may arrive before the facts that say that its node is ready, and the node already
   * answers.
   */
  readonly #starters = new Set<string>();
  #nodes: OwnershipView['nodes'] = new Map();
  #eligibility = new Eligibility(this.#nodes);
  #claiming: Claiming = 'refused';
  #isStarted = false;

  /** `claims` is shared with the membership, which merges the claims of other nodes into it. */
  constructor(self: string, claims: ClaimStore) {
    this.#self = self;
    this.#claims = claims;
    this.#entries = new EntryTable(self, (entry, address) => ({
      entry,
      address,
      isAnswering: false,
      vacancy: undefined,
    }));
    this.#vacancies = new Vacancies(this.#entries, claims);
  }

  /** Handles an event and returns the actions to run, in order. */
  *handle(event: OwnershipEvent, nowMs: number): Steps<readonly OwnershipAction[]> {
    const decision: Decision = { nowMs, actions: [], claims: [] };
    switch (event.kind) {
      case 'started':
        this.#isStarted = true;
        yield* this.#decide([...this.#entries.texts(), ...this.#claims.addressesOf(this.#self)], decision);
        break;
      case 'table':
        yield* this.#replaceAll(event.entries, decision);
        break;
      case 'change':
        yield* this.#change(event.upsert, event.remove, decision);
        break;
      case 'view':
        yield* this.#decide(this.#see(event.view), decision);
        break;
      case 'claims-received':
        this.#note(event.addresses, nowMs);
        break;
      case 'claims-published':
        this.#note(event.addresses, nowMs);
        yield* this.#decide([], decision);
        break;
      case 'conflict':
        this.#setConflict(event.address, event.inConflict, decision);
        break;
      case 'tick':
        yield* this.#decide([], decision);
        break;
    }
    const { actions, claims } = decision;
    return claims.length > 0 ? [...actions, { kind: 'claim', claims }] : actions;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** When to send the next `tick`; infinite for never. */
  wakeAtMs(): number {
    return this.#vacancies.wakeAtMs();
  }

  /** Addresses that this node answers for, or would answer for if no other host used them. */
  answered(): string[] {
    return [...this.#entries.tracked()].filter(([, { isAnswering }]) => isAnswering).map(([text]) => text);
  }

  isAnswering(address: string): boolean {
    return this.#entries.get(address)?.isAnswering ?? false;
  }

  /** All entries, whichever node owns their addresses. */
  get entries(): Pick<
    EntryTable<TrackedEntry>,
    'addresses' | 'namedInterfaces' | 'carriesAny' | 'tracked' | 'get'
  > {
    return this.#entries;
  }

  entry(address: string): AddressEntry | undefined {
    return this.#entries.get(address)?.entry;
  }

  /** One line about the state, for the flight recorder. */
  summary(): string {
    return `${this.#isStarted ? 'started' : 'starting'}, claiming ${this.#claiming}, ${this.#vacancies.count} vacant`;
  }

  *#replaceAll(entries: readonly AddressEntry[], decision: Decision): Steps<void> {
    const kept = new Set(entries.map(({ address }) => address));
    // A table has no version of its own. The removals therefore have version 0, which binds no other node.
    const removals = [...this.#entries.texts()]
      .filter((address) => !kept.has(address))
      .map((address) => ({ address, observedVersion: 0 }));
    yield* this.#change(entries, removals, decision);
  }

  *#change(
    upsert: readonly AddressEntry[],
    remove: readonly AddressRemoval[],
    decision: Decision,
  ): Steps<void> {
    for (const { address, observedVersion } of remove) {
      yield;
      const removed = this.#entries.remove(address);
      if (!removed) continue;
      this.#vacancies.close(address, removed);
      if (removed.isAnswering) decision.actions.push(silence(removed, unusedReason));
      this.#release(address, observedVersion, decision);
    }
    for (const entry of upsert) {
      yield;
      const put = this.#entries.put(entry);
      if (put?.hasMoved && put.tracked.isAnswering)
        decision.actions.push({ kind: 'adjust', entry: put.tracked.entry, address: put.tracked.address });
    }
    yield* this.#decide(
      upsert.map(({ address }) => address),
      decision,
    );
  }

  /**
   * Takes a view. Returns the addresses whose owner may now keep them or no longer keep them: those that the changed nodes own, and all
   * addresses if a change of one node may move an address of another.
   */
  #see({ nodes, claiming }: OwnershipView): Iterable<string> {
    const changed = changedNodes(this.#nodes, nodes);
    for (const node of this.#starters) if (!nodes.get(node)?.isStarting) this.#starters.delete(node);
    this.#nodes = nodes;
    this.#eligibility = new Eligibility(nodes, this.#starters);
    const wasRefused = this.#claiming === 'refused';
    this.#claiming = claiming;
    if (wasRefused !== (claiming === 'refused')) this.#vacancies.forgetSilence();
    if (this.#entries.havePreferences) return this.#entries.texts();
    return changed.flatMap((node) => [...this.#claims.addressesOf(node)]);
  }

  #note(addresses: Iterable<string>, nowMs: number): void {
    for (const address of addresses) {
      if (this.#isStarted) {
        this.#takeovers.note(address, nowMs);
        const owner = this.#claims.get(address)?.owner ?? '';
        if (this.#nodes.get(owner)?.isStarting) this.#starters.add(owner);
      }
      this.#undecided.add(address);
    }
  }

  #setConflict(address: string, inConflict: boolean, { claims }: Decision): void {
    const claim = this.#claims.get(address);
    if (claim?.owner !== this.#self || claim.inConflict === inConflict) return;
    if (this.#claiming === 'allowed') claims.push(withConflict(claim, inConflict));
  }

  *#decide(addresses: Iterable<string>, decision: Decision): Steps<void> {
    if (!this.#isStarted) return;
    // All claims received so far count before any vacancy is filled.
    const all = new Set([...this.#undecided, ...addresses]);
    this.#undecided.clear();
    for (const text of all) {
      yield;
      const owned = this.#entries.get(text);
      if (owned) this.#judge(text, owned, decision);
      else this.#release(text, 0, decision);
    }
    if (this.#vacancies.count > 0) yield* this.#fillVacancies(decision);
  }

  /** Compares the address with its newest claim. The address stays with its owner, is no longer in use, or becomes vacant. */
  #judge(text: string, owned: OwnedAddress, { nowMs, actions }: Decision): void {
    const claim = this.#claims.get(text);
    if (isReleasedSince(this.#claims.newest(text), owned)) {
      this.#vacancies.close(text, owned);
      if (owned.isAnswering) actions.push(silence(owned, unusedReason));
      return;
    }
    if (!claim || !this.#mayKeep(claim, owned)) {
      this.#vacancies.open(text, owned, nowMs);
      return;
    }
    this.#vacancies.close(text, owned);
    const { owner } = claim;
    if (owner !== this.#self && owned.isAnswering) actions.push(silence(owned, `${owner} owns it`));
    if (owner === this.#self && !owned.isAnswering)
      actions.push(answer(owned, 'failover', owner, claim.inConflict));
  }

  /** Only a majority moves an address to a preferred node, because the old owner in a minority stops without waiting for a claim. */
  #mayKeep(claim: Claim, owned: OwnedAddress): boolean {
    return mayKeep(claim, owned, this.#self, this.#eligibility, this.#claiming === 'allowed');
  }

  *#fillVacancies(decision: Decision): Steps<void> {
    const vacant: VacantAddress[] = [];
    for (const { text, owned, vacancy, claim, isLate } of yield* this.#vacancies.due(decision.nowMs)) {
      yield;
      if (isLate && claim?.owner === this.#self && claim.observedVersion > 0)
        decision.claims.push(releaseToSuccessor(claim));
      const { address, entry } = owned;
      const input = { self: this.#self, address, entry, vacancy, owner: claim?.owner };
      vacant.push({ address: text, group: entry.group, ...successors(input, this.#eligibility) });
    }
    const elected = yield* this.#elect(vacant, decision.nowMs);
    for (const { address } of vacant) {
      yield;
      const owned = this.#entries.get(address);
      if (owned) this.#applyElection(address, owned, elected.get(address), decision);
    }
  }

  *#elect(vacant: readonly VacantAddress[], nowMs: number): Steps<Map<string, string>> {
    const taken = this.#takenSince(vacant, nowMs);
    const loadTaken = new Map<string, number>();
    for (const { takenBy = '' } of taken) loadTaken.set(takenBy, (loadTaken.get(takenBy) ?? 0) + 1);
    const takenAddresses = new Set(taken.map(({ address }) => address));
    return yield* electOwners([...vacant, ...taken], {
      load: (node) => this.#claims.load(node) - (loadTaken.get(node) ?? 0),
      ownersOf: (group) => this.#ownersOf(group, takenAddresses),
    });
  }

  /** Addresses that were recently taken over from the nodes that owned the vacant addresses. */
  #takenSince(vacant: readonly VacantAddress[], nowMs: number): VacantAddress[] {
    const lost = new Set(vacant.flatMap(({ address }) => this.#claims.get(address)?.owner ?? []));
    const recorded = new Set(vacant.flatMap(({ recordedOwner }) => recordedOwner ?? []));
    const taken: VacantAddress[] = [];
    for (const address of this.#takeovers.addresses(nowMs)) {
      const claim = this.#claims.get(address);
      if (!claim) this.#takeovers.forget(address);
      if (!claim || this.#claiming === 'refused' || this.#vacancies.has(address)) continue;
      const owned = this.#entries.get(address);
      const base = { address, group: owned?.entry.group ?? address, takenBy: claim.owner };
      if (owned && recorded.has(claim.from))
        taken.push({
          ...base,
          eligible: this.#eligibility.eligible(owned.address, owned.entry),
          recordedOwner: claim.from,
        });
      else if (lost.has(claim.from)) taken.push({ ...base, eligible: [] });
    }
    return taken;
  }

  *#ownersOf(group: string, except: ReadonlySet<string>): Iterable<string> {
    for (const text of this.#entries.group(group)) {
      const claim = this.#claims.get(text);
      if (claim && !this.#vacancies.has(text) && !except.has(text)) yield claim.owner;
    }
  }

  #applyElection(text: string, owned: OwnedAddress, successor: string | undefined, decision: Decision): void {
    const { nowMs, actions } = decision;
    if (!owned.vacancy) return;
    const isAwaited = successor !== this.#self && this.#claiming !== 'refused';
    awaitClaim(owned.vacancy, isAwaited ? successor : undefined, nowMs);
    if (successor === this.#self) {
      this.#take(text, owned, decision);
    } else if (successor === undefined) {
      if (!owned.isAnswering) return;
      // This node is not eligible either, so its answers would mislead neighbours.
      actions.push(silence(owned, 'no node is eligible'));
      this.#release(text, 0, decision);
    } else if (owned.isAnswering) {
      const isOldOwner = this.#claims.get(text)?.owner === this.#self;
      if (!isOldOwner || this.#claiming === 'refused') actions.push(silence(owned, `${successor} answers`));
    }
  }

  #take(text: string, owned: OwnedAddress, { nowMs, actions, claims }: Decision): void {
    const claim = this.#claims.get(text);
    const before = claim?.owner ?? owned.entry.recordedOwner ?? '';
    const reason = this.#reasonAfter(before);
    if (!owned.isAnswering)
      actions.push(answer(owned, reason, before, this.#mustProbe(claim, reason, nowMs)));
    if (this.#claiming !== 'allowed') return;
    claims.push(
      takeOver(text, this.#claims.newest(text), {
        owner: this.#self,
        from: before,
        observedVersion: owned.entry.observedVersion,
        inConflict: claim?.inConflict ?? false,
      }),
    );
    this.#vacancies.close(text, owned);
  }

  #reasonAfter(before: string): TakeoverReason {
    if (before === '') return 'first';
    if (before === this.#self) return 'recorded';
    return this.#eligibility.isReady(before) ? 'handover' : 'failover';
  }

  /**
   * Whether to probe the address before answering (RFC 5227 section 2.1, RFC 4862 section 5.4). The address may be in use by a host outside
   * the membership, or by a node whose claim has not arrived here.
   */
  #mustProbe(claim: Claim | undefined, reason: TakeoverReason, nowMs: number): boolean {
    if (claim?.inConflict) return true;
    if (reason === 'recorded') return false;
    // Without a claim, nothing shows that a node has used the address before. In a handover from the recorded owner, that owner is alive
    // and its claim may still be on its way.
    if (!claim) return true;
    // The owner of a new address may have died before it had probed the address.
    return reason === 'failover' && claim.from === '' && this.#takeovers.isRecent(claim.address, nowMs);
  }

  /** Releases an address that this node has claimed. */
  #release(address: string, observedVersion: number, { claims }: Decision): void {
    const claim = this.#claims.get(address);
    if (claim?.owner === this.#self) claims.push(release(claim, observedVersion));
  }
}

/** Nodes that have appeared or disappeared, or whose facts are another object. */
function changedNodes(before: OwnershipView['nodes'], after: OwnershipView['nodes']): string[] {
  const changed = [...after].filter(([node, facts]) => before.get(node) !== facts).map(([node]) => node);
  for (const node of before.keys()) if (!after.has(node)) changed.push(node);
  return changed;
}

function answer(owned: OwnedAddress, reason: TakeoverReason, from: string, mustProbe: boolean): AnswerAction {
  owned.isAnswering = true;
  return { kind: 'answer', entry: owned.entry, address: owned.address, reason, from, mustProbe };
}

function silence(owned: OwnedAddress, reason: string): SilenceAction {
  owned.isAnswering = false;
  return { kind: 'silence', address: owned.address, reason };
}
