import type { Keyring, SharedKey } from './keyring.ts';

/** A member has two keys while they are rotated, and a few more when operators rotate in a hurry. */
const keptForMember = 4;

/**
 * The keys that each member has used. Speakers read a changed Secret at different times, and a speaker that cannot reach the API server
 * does not read it at all. Until a member has used our sealing key, it may lack that key. Datagrams to it are then sealed twice: with our
 * sealing key, and with the latest key that the member has used. If only the second could be read, two members would follow each other's
 * old key for as long as both hold it.
 */
export class MemberKeys {
  /** Ids of keys by member, the one used last at the end. */
  readonly #used = new Map<string, readonly number[]>();

  /** The member has sealed a datagram with the key. */
  note(member: string, key: SharedKey): void {
    const used = this.#used.get(member) ?? [];
    if (used.at(-1) === key.id) return;
    this.#used.set(member, [...used.filter((id) => id !== key.id), key.id].slice(-keptForMember));
  }

  /** The keys with which a datagram to the member is sealed: one, or two while the member may lack our sealing key. */
  sealing(member: string, keyring: Keyring, nowMs: number): readonly SharedKey[] {
    const used = this.#used.get(member) ?? [];
    const latest = used.at(-1);
    if (latest === undefined || used.includes(keyring.sealing.id)) return [keyring.sealing];
    const held = keyring.opening(latest, nowMs);
    return held ? [keyring.sealing, held] : [keyring.sealing];
  }

  forget(member: string): void {
    this.#used.delete(member);
  }
}
