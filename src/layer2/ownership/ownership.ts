/**
 * Ownership decides which addresses this node answers for. It is a machine. Its inputs are address entries from Kubernetes, live nodes and
 * claims from the membership, and the time. Its outputs are actions: to answer, to stop answering and to claim.
 *
 * An address belongs to the node that claims it, as long as that node is alive and eligible. A node that returns therefore does not take its former
 * addresses back from their new owners. The exception is an address whose entry prefers the returned node to the new owner. Before the first claim,
 * the owner recorded on the Service counts as the owner.
 *
 *     owner is alive, eligible, and no        it keeps the address (tenure.ts)
 *     ready node is preferred to it
 *     owner is alive and not eligible, or     handover: the successor answers and announces, then claims; the old owner stops when it
 *     a ready node is preferred to it         sees the claim, or at once when there is no successor
 *     owner is dead, or restarted and not     failover: the successor answers at once, and claims
 *     yet ready
 *     address was never claimed               the successor claims, and answers once a probe has found no other host that uses the address,
 *                                             or at once if this successor is the owner that the Service records
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
 * A decision about thousands of addresses takes longer than the other members wait for the answer to a probe. Its steps may therefore run with
 * pauses, and its actions may be run as they come (`takeActions`). Views and claims that arrive in a pause take effect at once (`note`). This
 * node then gives up the addresses that another node has claimed. The rest of the decision looks at the newest claim on each address.
 *
 * Nothing is decided before the event `started`, because a node that has just started knows neither claims nor members
 * (readiness.ts).
 */
import type { AddressEntry, AddressRemoval } from '../address-entry.ts';
import {
  type Claim,
  isReleasedByOwner,
  release,
  releaseToSuccessor,
  takeOver,
  withConflict,
} from './claim.ts';
import type { ClaimStore } from './claim-store.ts';
import { electOwners, type VacantAddress } from './election.ts';
import { Eligibility } from './eligibility.ts';
import { EntryTable, type TrackedEntry } from './entry-table.ts';
import type { NotedEvent, OwnershipAction, OwnershipEvent, OwnershipView, TakeoverReason } from './event.ts';
import type { Claiming } from './quorum.ts';
import { RecentTakeovers } from './recent-takeovers.ts';
import type { Steps } from './steps.ts';
import { isReleasedSince, mayKeep } from './tenure.ts';
import { Vacancies } from './vacancies.ts';
import { type OwnedAddress, successors } from './vacancy.ts';
import { includesAddress } from './witness-facts.ts';

const unusedReason = 'no Service uses it any more';
const noActions: readonly OwnershipAction[] = [];

export class Ownership {
  readonly #self: string;
  readonly #claims: ClaimStore;
  readonly #entries: EntryTable<OwnedAddress>;
  readonly #vacancies: Vacancies;
  /** Addresses that the next decision compares with their newest claims. */
  readonly #undecided = new Set<string>();
  /** Addresses for which this node's claim is wrong about a conflict or a release. When it became wrong, this node was not allowed to claim. */
  readonly #misstated = new Set<string>();
  readonly #takeovers = new RecentTakeovers();
  /** Starting nodes that have begun to claim. Such a node already answers, although the facts that say so may arrive after its claim. */
  readonly #starters = new Set<string>();
  #nodes: OwnershipView['nodes'] = new Map();
  #eligibility = new Eligibility(this.#nodes);
  #claiming: Claiming = 'refused';
  /** Whether a node has changed since the last election. */
  #haveNodesChanged = false;
  #isStarted = false;
  #nowMs = 0;
  #answeredCount = 0;
  #actions: OwnershipAction[] = [];
  /** Claims to publish after the other actions. */
  #newClaims: Claim[] = [];

  /** `claims` is shared with the membership, which merges the claims of other nodes into it. */
  constructor(self: string, claims: ClaimStore) {
    this.#self = self;
    this.#claims = claims;
    this.#entries = new EntryTable(self, (entry, address) => ({
      entry,
      address,
      isAnswering: false,
      inConflict: undefined,
      vacancy: undefined,
    }));
    this.#vacancies = new Vacancies(this.#entries, claims);
  }

  /**
   * Handles an event and returns the actions to run, in order, except those that `takeActions` has returned before. No other event may be
   * handled until the steps are complete, but `note` may be called between two steps.
   */
  *handle(event: OwnershipEvent, nowMs: number): Steps<readonly OwnershipAction[]> {
    this.#nowMs = nowMs;
    switch (event.kind) {
      case 'started':
        this.#isStarted = true;
        yield* this.#decide([...this.#entries.texts(), ...this.#claims.addressesOf(this.#self)]);
        break;
      case 'table':
        yield* this.#replaceAll(event.entries);
        break;
      case 'change':
        yield* this.#change(event.upsert, event.remove);
        break;
      case 'view':
      case 'claims-published':
        this.note(event, nowMs);
        yield* this.#decide([]);
        break;
      case 'claims-received':
        this.note(event, nowMs);
        break;
      case 'conflict':
        this.#setConflict(event.address, event.inConflict);
        break;
      case 'tick':
        yield* this.#decide([]);
        break;
    }
    return this.takeActions();
  }

  /**
   * Takes a view or claims into account without a decision, also between two steps of another event. Addresses that another node has claimed
   * are given up. A `tick` decides about the rest.
   */
  note(event: NotedEvent, nowMs: number): void {
    this.#nowMs = nowMs;
    if (event.kind === 'view') {
      const affected = this.#see(event.view);
      if (this.#isStarted) for (const address of affected) this.#undecided.add(address);
      return;
    }
    for (const address of event.addresses) {
      this.#note(address);
      if (event.kind === 'claims-received') this.#giveUp(address);
    }
  }

  /** Tells the machine the time of the next steps. */
  setTime(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** This process stood still. The claims of awaited nodes may have arrived and not been read, so these nodes get their whole time again. */
  stalled(): void {
    this.#vacancies.pause();
  }

  /** Returns the actions since the last call, in order. Claims come last. */
  takeActions(): readonly OwnershipAction[] {
    if (this.#actions.length === 0 && this.#newClaims.length === 0) return noActions;
    const actions = this.#actions;
    const claims = this.#newClaims;
    this.#actions = [];
    this.#newClaims = [];
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

  /** Number of addresses in `answered`. */
  get answeredCount(): number {
    return this.#answeredCount;
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

  *#replaceAll(entries: readonly AddressEntry[]): Steps<void> {
    const kept = new Set(entries.map(({ address }) => address));
    // A table has no version of its own. The removals therefore have version 0. No node with an entry of the address respects a release with this
    // version (`isReleasedSince`).
    const removals = [...this.#entries.texts()]
      .filter((address) => !kept.has(address))
      .map((address) => ({ address, observedVersion: 0 }));
    yield* this.#change(entries, removals);
  }

  *#change(upsert: readonly AddressEntry[], remove: readonly AddressRemoval[]): Steps<void> {
    for (const { address, observedVersion } of remove) {
      yield;
      const removed = this.#entries.remove(address);
      if (!removed) continue;
      this.#vacancies.close(address, removed);
      this.#silence(removed, unusedReason);
      this.#release(address, observedVersion);
    }
    for (const entry of upsert) {
      yield;
      const put = this.#entries.put(entry);
      if (put?.hasMoved && put.tracked.isAnswering) this.#adjust(put.tracked, false);
    }
    yield* this.#decide(upsert.map(({ address }) => address));
  }

  /**
   * Takes a view. Returns the addresses to judge again: those that the changed nodes own, and those for which their owners are mute. If any entry
   * prefers some nodes, all addresses are judged again. A change of one node may move an address that another node owns, if that owner is mute for
   * the address or the entry of the address has preferences. Once claims are allowed, the addresses whose claims are wrong (`#misstated`) are judged
   * again as well.
   */
  #see({ nodes, claiming }: OwnershipView): Iterable<string> {
    const changed = changedNodes(this.#nodes, nodes);
    if (changed.length > 0) this.#haveNodesChanged = true;
    for (const node of this.#starters) if (!nodes.get(node)?.isStarting) this.#starters.delete(node);
    this.#nodes = nodes;
    this.#eligibility = new Eligibility(nodes, this.#starters);
    const wasRefused = this.#claiming === 'refused';
    this.#claiming = claiming;
    if (wasRefused !== (claiming === 'refused')) this.#vacancies.forgetSilence();
    if (claiming === 'paused') this.#vacancies.pause();
    const affected = this.#entries.havePreferences
      ? this.#entries.texts()
      : [...changed.flatMap((node) => [...this.#claims.addressesOf(node)]), ...this.#muteOwned(changed)];
    if (claiming !== 'allowed' || this.#misstated.size === 0) return affected;
    const misstated = [...this.#misstated];
    this.#misstated.clear();
    return [...affected, ...misstated];
  }

  /** Addresses for which their owners are mute. An owner keeps such an address only while no other node can take it. None if no node has changed. */
  *#muteOwned(changed: readonly string[]): Iterable<string> {
    if (changed.length === 0) return;
    for (const [node, { mute }] of this.#nodes) {
      if (!mute) continue;
      for (const address of this.#claims.addressesOf(node)) if (includesAddress(mute, address)) yield address;
    }
  }

  #note(address: string): void {
    if (this.#isStarted) {
      this.#takeovers.note(address, this.#nowMs);
      const owner = this.#claims.get(address)?.owner ?? '';
      if (this.#nodes.get(owner)?.isStarting) this.#starters.add(owner);
    }
    this.#undecided.add(address);
  }

  /** Stops answering for an address that another node rightly claims. This cannot wait for the next decision, because two nodes answer until then. */
  #giveUp(address: string): void {
    const owned = this.#entries.get(address);
    const claim = owned?.isAnswering ? this.#claims.get(address) : undefined;
    if (owned && claim && claim.owner !== this.#self) this.#keepsOwner(address, owned, claim);
  }

  #setConflict(address: string, inConflict: boolean): void {
    const owned = this.#entries.get(address);
    if (!owned?.isAnswering) return;
    owned.inConflict = inConflict;
    const claim = this.#claims.get(address);
    if (claim?.owner === this.#self) this.#stateConflict(owned, claim);
  }

  /** If this node's claim is wrong about a conflict, corrects the claim: now, or as soon as claims are allowed again. */
  #stateConflict({ inConflict }: OwnedAddress, claim: Claim): void {
    if (inConflict === undefined || inConflict === claim.inConflict) return;
    if (this.#claiming === 'allowed') this.#newClaims.push(withConflict(claim, inConflict));
    else this.#misstated.add(claim.address);
  }

  *#decide(addresses: Iterable<string>): Steps<void> {
    if (!this.#isStarted) return;
    for (const address of addresses) this.#undecided.add(address);
    // All claims received so far count before any vacancy is filled. The loop also visits addresses that are added meanwhile.
    for (const text of this.#undecided) {
      yield;
      this.#judgeUndecided(text);
    }
    if (this.#vacancies.count > 0) yield* this.#fillVacancies();
  }

  #judgeUndecided(text: string): void {
    this.#undecided.delete(text);
    const owned = this.#entries.get(text);
    if (owned) this.#judge(text, owned);
    else this.#release(text, 0);
  }

  /** Compares the address with its newest claim. The address stays with its owner, is no longer in use, or becomes vacant. */
  #judge(text: string, owned: OwnedAddress): void {
    const newest = this.#claims.newest(text);
    if (isReleasedSince(newest, owned)) {
      this.#vacancies.close(text, owned);
      this.#silence(owned, unusedReason);
      return;
    }
    const claim = newest?.owner === '' ? undefined : newest;
    if (claim && this.#keepsOwner(text, owned, claim)) return;
    this.#resume(owned, claim);
    this.#vacancies.open(text, owned, this.#nowMs);
  }

  /** Returns whether the owner may keep the address. If so, this node answers if it is the owner, and stops answering if it is not. */
  #keepsOwner(text: string, owned: OwnedAddress, claim: Claim): boolean {
    if (!this.#mayKeep(claim, owned)) return false;
    const successor = owned.vacancy?.elected;
    this.#vacancies.close(text, owned);
    if (claim.owner !== this.#self) this.#silence(owned, `${claim.owner} owns it`);
    else {
      // The successor announces the address before it claims it. So neighbours may send traffic to the successor, which now stops answering.
      if (owned.isAnswering && successor !== undefined && successor !== this.#self) this.#adjust(owned, true);
      this.#answer(owned, 'failover', claim.owner, claim.inConflict);
      if (isReleasedByOwner(claim)) this.#takeBack(owned, claim);
      else this.#stateConflict(owned, claim);
    }
    return true;
  }

  /**
   * Takes back an address that this node has released to a successor, because this node may keep it after all. As long as the address counts as
   * released, a node with an old entry could take it over, and no witness asks for it.
   */
  #takeBack({ entry, inConflict }: OwnedAddress, claim: Claim): void {
    const { address, owner } = claim;
    const { observedVersion } = entry;
    if (this.#claiming !== 'allowed') this.#misstated.add(address);
    else
      this.#newClaims.push(
        takeOver(address, claim, {
          ...{ owner, from: owner, observedVersion },
          inConflict: inConflict ?? claim.inConflict,
        }),
      );
  }

  /**
   * An eligible owner answers until a preferred node has claimed the address. An owner that has restarted therefore begins to answer again. The
   * preferred node may not have learned of the preference. That node then never claims, and without the owner no node would answer.
   */
  #resume(owned: OwnedAddress, claim: Claim | undefined): void {
    if (claim?.owner !== this.#self || !this.#eligibility.isEligible(this.#self, owned.address, owned.entry))
      return;
    this.#answer(owned, 'failover', claim.owner, claim.inConflict);
  }

  /**
   * An address moves to a preferred node only while claims are allowed. In a minority, the old owner would stop at once, perhaps before the
   * preferred node answers.
   */
  #mayKeep(claim: Claim, owned: OwnedAddress): boolean {
    return mayKeep(claim, owned, this.#self, this.#eligibility, this.#claiming === 'allowed');
  }

  *#fillVacancies(): Steps<void> {
    const haveNodesChanged = this.#haveNodesChanged;
    this.#haveNodesChanged = false;
    const due = yield* this.#vacancies.due({ ...this.#situation, haveNodesChanged });
    if (due.length === 0) return;
    const vacant = new Map<string, VacantAddress>();
    const known = new Map<string, Claim | undefined>();
    for (const { text, owned, vacancy, claim, isLate } of due) {
      yield;
      const { address, entry } = owned;
      // An owner that is eligible, but not preferred, waits without a release. After a release, a node with an old entry could take the address.
      const mayRelease = claim?.owner === this.#self && claim.observedVersion > 0;
      if (isLate && mayRelease && !this.#eligibility.isEligible(this.#self, address, entry))
        this.#newClaims.push(releaseToSuccessor(claim));
      const input = { self: this.#self, address, entry, vacancy, owner: claim?.owner };
      vacant.set(text, { address: text, group: entry.group, ...successors(input, this.#eligibility) });
      known.set(text, claim);
    }
    // From here to the first step of the election there is no pause, so the election starts from one state, which includes all claims so far.
    for (const text of this.#undecided) {
      this.#judgeUndecided(text);
      if (!this.#vacancies.has(text)) vacant.delete(text);
    }
    const elected = yield* this.#elect(vacant);
    for (const address of vacant.keys()) {
      yield;
      const owned = this.#entries.get(address);
      if (owned?.vacancy) this.#applyElection(address, owned, elected.get(address), known.get(address));
    }
  }

  get #situation() {
    return { self: this.#self, nowMs: this.#nowMs, claiming: this.#claiming };
  }

  *#elect(vacant: ReadonlyMap<string, VacantAddress>): Steps<Map<string, string>> {
    const taken = this.#takenSince([...vacant.values()], this.#nowMs);
    const takenAddresses = new Set(taken.map(({ address }) => address));
    // Claims that arrive in a pause of the election do not change these loads. Otherwise this node would not elect the same owners as the others.
    const loads = new Map<string, number>();
    for (const node of this.#nodes.keys())
      loads.set(node, this.#claims.load(node) + this.#vacancies.expectedLoad(node));
    for (const { takenBy = '' } of taken) loads.set(takenBy, (loads.get(takenBy) ?? 0) - 1);
    return yield* electOwners([...vacant.values(), ...taken], {
      load: (node) => loads.get(node) ?? 0,
      ownersOf: (group) => this.#ownersOf(group, takenAddresses, vacant),
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

  *#ownersOf(
    group: string,
    taken: ReadonlySet<string>,
    electing: ReadonlyMap<string, VacantAddress>,
  ): Iterable<string> {
    for (const text of this.#entries.group(group)) {
      if (taken.has(text) || electing.has(text)) continue;
      const owner = this.#vacancies.has(text)
        ? this.#vacancies.expectedOwner(text)
        : this.#claims.get(text)?.owner;
      if (owner !== undefined) yield owner;
    }
  }

  /** `known` is the claim on the address when the election began. */
  #applyElection(
    text: string,
    owned: OwnedAddress,
    successor: string | undefined,
    known: Claim | undefined,
  ): void {
    const claim = this.#claims.get(text);
    // A claim may have arrived during the election, or the owner may have returned.
    if (claim && this.#keepsOwner(text, owned, claim)) return;
    if (!owned.vacancy || claim !== known) return;
    // This node may have begun to leave, or lost its link. The next decision elects another node.
    if (successor === this.#self && !this.#eligibility.isEligible(successor, owned.address, owned.entry))
      return;
    if (successor === this.#self) this.#take(text, owned);
    this.#vacancies.elected(text, owned, successor, this.#situation);
    if (successor === this.#self) return;
    if (successor === undefined) {
      if (!owned.isAnswering) return;
      // This node is not eligible either, so its answers would mislead neighbours.
      this.#silence(owned, 'no node is eligible');
      this.#release(text, 0);
    } else if (owned.isAnswering) {
      const isOldOwner = claim?.owner === this.#self;
      if (!isOldOwner || this.#claiming === 'refused') this.#silence(owned, `${successor} answers`);
    }
  }

  #take(text: string, owned: OwnedAddress): void {
    const claim = this.#claims.get(text);
    const before = claim?.owner ?? owned.entry.recordedOwner ?? '';
    const reason = this.#reasonAfter(before);
    if (!owned.isAnswering) this.#answer(owned, reason, before, this.#mustProbe(claim, reason));
    if (this.#claiming !== 'allowed') return;
    this.#newClaims.push(
      takeOver(text, this.#claims.newest(text), {
        owner: this.#self,
        from: before,
        observedVersion: owned.entry.observedVersion,
        inConflict: owned.inConflict ?? claim?.inConflict ?? false,
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
  #mustProbe(claim: Claim | undefined, reason: TakeoverReason): boolean {
    if (claim?.inConflict) return true;
    if (reason === 'recorded') return false;
    // Without a claim, nothing shows which host uses the address now. A recorded owner that is alive may answer for it, and its claim may still
    // be on its way.
    if (!claim) return true;
    // The owner of a new address may have died before it had probed the address.
    return reason === 'failover' && claim.from === '' && this.#takeovers.isRecent(claim.address, this.#nowMs);
  }

  /** Releases an address that this node has claimed. */
  #release(address: string, observedVersion: number): void {
    const claim = this.#claims.get(address);
    if (claim?.owner === this.#self) this.#newClaims.push(release(claim, observedVersion));
  }

  #answer(owned: OwnedAddress, reason: TakeoverReason, from: string, mustProbe: boolean): void {
    if (owned.isAnswering) return;
    owned.isAnswering = true;
    this.#answeredCount++;
    const { entry, address } = owned;
    this.#actions.push({ kind: 'answer', entry, address, reason, from, mustProbe });
  }

  #adjust({ entry, address }: OwnedAddress, mustAnnounce: boolean): void {
    this.#actions.push({ kind: 'adjust', entry, address, mustAnnounce });
  }

  #silence(owned: OwnedAddress, reason: string): void {
    if (!owned.isAnswering) return;
    owned.isAnswering = false;
    owned.inConflict = undefined;
    this.#answeredCount--;
    this.#actions.push({ kind: 'silence', address: owned.address, reason });
  }
}

/** Nodes that have appeared or disappeared, or whose facts are another object. */
function changedNodes(before: OwnershipView['nodes'], after: OwnershipView['nodes']): string[] {
  const changed = [...after].filter(([node, facts]) => before.get(node) !== facts).map(([node]) => node);
  for (const node of before.keys()) if (!after.has(node)) changed.push(node);
  return changed;
}
