import type { Endpoint } from './endpoint.ts';
import { isLive, type Member } from './member-table.ts';
import type { MembershipEvent } from './membership-event.ts';
import type { Packet } from './packet.ts';

export interface Outgoing {
  readonly to: string;
  readonly endpoint: Endpoint;
  readonly packet: Packet;
}

export interface LostMember {
  readonly name: string;
  readonly heardAtMs: number;
}

/** Changes of a membership since the last `take`. */
export interface Changes {
  readonly packets: readonly Outgoing[];
  /** Members whose state, metadata or suspicion changed. */
  readonly members: ReadonlySet<string>;
  /** `isSynced` changed. */
  readonly sync: boolean;
  /** Keys of payload records for which another member sent a newer version. */
  readonly payloads: ReadonlySet<string>;
  /** Members that died or left, with the time when each was last heard. */
  readonly lost: readonly LostMember[];
  /** Names that the membership has forgotten. */
  readonly forgotten: readonly string[];
  readonly events: readonly MembershipEvent[];
}

/** Collects the changes of members and of payload records, for the rest of the program. */
export class ChangeLog {
  #members = new Set<string>();
  #sync = false;
  #isSynced = false;
  #payloads = new Set<string>();
  #lost: LostMember[] = [];
  #forgotten: string[] = [];
  #events: MembershipEvent[] = [];

  /** Notes that the membership has dropped the name. */
  noteForgotten(name: string): void {
    this.#members.add(name);
    this.#forgotten.push(name);
  }

  /** `before` is a copy of the member before the change. */
  noteMember(member: Member, before: Member | undefined, nowMs: number): void {
    const { name, state, incarnation, heardAtMs } = member;
    this.#members.add(name);
    if (isLive(member)) {
      if (before?.state === 'suspect') this.#events.push({ kind: 'refuted', member: name, incarnation });
      else if (!isLive(before)) this.#events.push({ kind: 'joined', member: name, incarnation });
      return;
    }
    if (!isLive(before)) return;
    const kind = state === 'left' ? 'left' : 'dead';
    this.#lost.push({ name, heardAtMs });
    this.#events.push({ kind, member: name, incarnation, silentMs: Math.round(nowMs - heardAtMs) });
  }

  noteSuspicion(member: string, confirmedBy: readonly string[]): void {
    this.#members.add(member);
    this.#events.push({ kind: 'suspected', member, confirmedBy });
  }

  notePayload(key: string): void {
    this.#payloads.add(key);
  }

  noteSync(isSynced: boolean): void {
    if (isSynced !== this.#isSynced) this.#sync = true;
    this.#isSynced = isSynced;
  }

  take(): Omit<Changes, 'packets'> {
    const taken = {
      members: this.#members,
      sync: this.#sync,
      payloads: this.#payloads,
      lost: this.#lost,
      forgotten: this.#forgotten,
      events: this.#events,
    };
    this.#members = new Set();
    this.#sync = false;
    this.#payloads = new Set();
    this.#lost = [];
    this.#forgotten = [];
    this.#events = [];
    return taken;
  }
}
