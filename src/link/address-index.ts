import { type IpAddress, ipToBytes } from '../address/index.ts';
import { readInt32 } from './frame.ts';

/** The part of an address's state that a packet responder reads. */
export interface Answerable {
  /** False while the address is only probed or on trial. Conflicts are detected even then, but requests are answered only on trial. */
  readonly answering: boolean;
  /** Whether the address is on trial: requests of other speakers are answered although `answering` is false. */
  readonly isOnTrial?: boolean;
}

interface Slot<T> {
  readonly words: readonly [number, number, number, number];
  value: T;
}

/**
 * A map whose keys are addresses. The octets of a frame serve as the key without conversion. A lookup is one hash lookup, allocates
 * nothing, and costs the same for any number of addresses. An IPv4 address is its own 32-bit key. An IPv6 address is hashed to 32 bits,
 * and addresses with the same hash share a list.
 */
export class AddressIndex<T> {
  readonly #ipv4 = new Map<number, T>();
  readonly #ipv6 = new Map<number, Slot<T>[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The value of the IPv4 address in the four octets from `at`. */
  find4(bytes: Uint8Array, at: number): T | undefined {
    return this.#ipv4.get(readInt32(bytes, at));
  }

  /** The value of the IPv6 address in the sixteen octets from `at`. */
  find6(bytes: Uint8Array, at: number): T | undefined {
    const a = readInt32(bytes, at);
    const b = readInt32(bytes, at + 4);
    const c = readInt32(bytes, at + 8);
    const d = readInt32(bytes, at + 12);
    const slots = this.#ipv6.get(mix(a, b, c, d));
    if (slots === undefined) return undefined;
    for (const { words, value } of slots)
      if (words[3] === d && words[2] === c && words[1] === b && words[0] === a) return value;
    return undefined;
  }

  get(address: IpAddress): T | undefined {
    const bytes = ipToBytes(address);
    return address.family === 4 ? this.find4(bytes, 0) : this.find6(bytes, 0);
  }

  /** Adds the value, or replaces the value of the same address. */
  set(address: IpAddress, value: T): void {
    const known = this.get(address) !== undefined;
    const bytes = ipToBytes(address);
    if (!known) this.#size++;
    if (address.family === 4) {
      this.#ipv4.set(readInt32(bytes, 0), value);
      return;
    }
    const words = wordsOf(bytes);
    const key = mix(...words);
    const slots = this.#ipv6.get(key) ?? [];
    if (slots.length === 0) this.#ipv6.set(key, slots);
    const slot = slots.find((other) => sameWords(other.words, words));
    if (slot) slot.value = value;
    else slots.push({ words, value });
  }

  delete(address: IpAddress): void {
    if (this.get(address) === undefined) return;
    this.#size--;
    const bytes = ipToBytes(address);
    if (address.family === 4) {
      this.#ipv4.delete(readInt32(bytes, 0));
      return;
    }
    const words = wordsOf(bytes);
    const key = mix(...words);
    const rest = (this.#ipv6.get(key) ?? []).filter((slot) => !sameWords(slot.words, words));
    if (rest.length === 0) this.#ipv6.delete(key);
    else this.#ipv6.set(key, rest);
  }
}

type Words = readonly [number, number, number, number];

function wordsOf(bytes: Uint8Array): Words {
  return [readInt32(bytes, 0), readInt32(bytes, 4), readInt32(bytes, 8), readInt32(bytes, 12)];
}

function sameWords(a: Words, b: Words): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3];
}

/** Hashes the four words. The odd multipliers spread the low words, in which the addresses of a pool differ. */
function mix(a: number, b: number, c: number, d: number): number {
  let hash =
    Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca77) ^ Math.imul(c, 0xc2b2ae3d) ^ Math.imul(d, 0x27d4eb2f);
  hash ^= hash >>> 15;
  return hash | 0;
}
