import type { Outgoing } from './change-log.ts';
import { updateSize } from './codec.ts';
import { type Draft, gossipOctets, updateOctets } from './draft.ts';
import type { GossipQueue } from './gossip-queue.ts';
import type { Knowledge } from './knowledge.ts';
import type { LocalMember } from './local-member.ts';
import { brief, type MemberTable, updateOf } from './member-table.ts';
import type { MemberUpdate, Update } from './packet.ts';

/** Turns drafts into packets: adds the sender's header, gossip, and a statement about the receiver if the receiver should refute it. */
export class Outbox {
  readonly #self: LocalMember;
  readonly #table: MemberTable;
  readonly #knowledge: Knowledge;
  readonly #gossip: GossipQueue;
  #packets: Outgoing[] = [];

  constructor(self: LocalMember, table: MemberTable, knowledge: Knowledge, gossip: GossipQueue) {
    this.#self = self;
    this.#table = table;
    this.#knowledge = knowledge;
    this.#gossip = gossip;
  }

  sendAll(drafts: readonly Draft[]): void {
    for (const draft of drafts) this.send(draft);
  }

  send({ to, endpoint, body, updates = [], carriesGossip = false, isRepeated = false }: Draft): void {
    if (endpoint.host === '') return;
    const own = carriesGossip ? [...this.#aboutReceiver(to), ...updates] : updates;
    const gossip = carriesGossip && !isRepeated ? this.#gossipFor(to, own) : [];
    const { name: from, incarnation } = this.#self;
    const packet = {
      from,
      incarnation,
      summary: this.#knowledge.summary(),
      readsBranches: true,
      body,
      updates: [...own, ...gossip],
    };
    this.#packets.push({ to, endpoint, packet });
  }

  /** Returns the packets since the last call. */
  take(): readonly Outgoing[] {
    const packets = this.#packets;
    this.#packets = [];
    return packets;
  }

  /** The statement that the receiver is suspect, dead or left, if this member believes so. The receiver can then refute the statement. */
  #aboutReceiver(to: string): MemberUpdate[] {
    const member = this.#table.get(to);
    return member && member.state !== 'alive' ? [brief(updateOf(member))] : [];
  }

  /**
   * Gossip for the receiver, if its state is alive. A receiver that counts as dead or left may be coming back from a partition, and the gossip
   * may hold wrong beliefs from that partition. A suspect gets no gossip, because an update is sent only a limited number of times: when many
   * members die at once, packets to suspects would use up that number. The gossip takes only the room that the other updates of the packet
   * leave, so that the datagram is not fragmented.
   */
  #gossipFor(to: string, others: readonly Update[]): Update[] {
    if (this.#table.get(to)?.state !== 'alive') return [];
    const room = others.reduce((left, update) => left - updateSize(update), updateOctets);
    const transmissions = 3 * Math.ceil(Math.log2(this.#table.liveCount + 2));
    return this.#gossip.take(Math.min(gossipOctets, room), transmissions);
  }
}
