import type { Family, Prefix } from '../address/index.ts';
import { fail, ok, type Result } from '../result.ts';
import {
  decodePassedItem,
  encodePassedPrefixes,
  encodePassedSession,
  type PassedSession,
} from './codec/index.ts';
import type { ResolvedPeer } from './peer.ts';
import { connectionKey } from './session/connection-key.ts';
import type { FrozenSession, Inheritance } from './session/session.ts';
import type { OfferedItem } from './speaker-api.ts';
import type { InheritedConnection, Transport } from './transport/transport.ts';

/** The sessions as items for the successor. */
export function offeredItems(sessions: readonly FrozenSession[]): OfferedItem[] {
  return sessions.flatMap(({ session, descriptor, prefixes }, index) => [
    { octets: encodePassedSession(session), descriptor },
    ...[...encodePassedPrefixes(index, prefixes)].map((octets) => ({ octets })),
  ]);
}

/** Holds the sessions that an earlier process has passed on, until their peers are configured. */
export class Inheritances {
  readonly #transport: Transport;
  readonly #waiting = new Map<string, DecodedSession>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Takes all items. If one of them is wrong, takes none. Returns the number of sessions, or what is wrong. */
  add(items: readonly OfferedItem[]): Result<number, string> {
    const decoded = decodeItems(items);
    if (!decoded.ok) return decoded;
    for (const one of decoded.value) this.#waiting.set(keyText(one.session.connectionKey), one);
    return ok(decoded.value.length);
  }

  /** Hands over the session with this peer, if one was passed on. The caller starts it. */
  take(peer: ResolvedPeer): Inheritance | undefined {
    if (this.#waiting.size === 0) return undefined;
    const key = keyText(connectionKey(peer));
    const found = this.#waiting.get(key);
    if (!found) return undefined;
    this.#waiting.delete(key);
    const { session, prefixes } = found;
    const { initiator, sentOpen, receivedOpen } = session;
    return {
      connection: this.#connectionOf(found, peer.settings.address.family),
      session: { initiator, sentOpen, receivedOpen },
      prefixes,
    };
  }

  /** Closes the connections that no peer has taken. Returns how many. */
  reject(): number {
    const count = this.#waiting.size;
    for (const one of this.#waiting.values()) this.#connectionOf(one, 4).reject();
    this.#waiting.clear();
    return count;
  }

  #connectionOf({ descriptor, session }: DecodedSession, family: Family): InheritedConnection {
    return this.#transport.inherit(descriptor, family, session.unread);
  }
}

interface DecodedSession {
  readonly session: PassedSession;
  readonly descriptor: number;
  readonly prefixes: Prefix[];
}

function decodeItems(items: readonly OfferedItem[]): Result<readonly DecodedSession[], string> {
  const sessions: DecodedSession[] = [];
  const keys = new Set<string>();
  for (const { octets, descriptor } of items) {
    const item = decodePassedItem(octets);
    if (!item.ok) return item;
    if ((item.value.kind === 'session') !== (descriptor !== undefined))
      return fail('a session without a connection, or a connection that belongs to no session');
    if (item.value.kind === 'session' && descriptor !== undefined) {
      const { session } = item.value;
      keys.add(keyText(session.connectionKey));
      sessions.push({ session, descriptor, prefixes: [] });
      if (keys.size < sessions.length) return fail('two sessions with one connection key');
    } else if (item.value.kind === 'prefixes') {
      const found = sessions[item.value.session];
      if (!found) return fail(`prefixes of the session ${item.value.session}, which was not passed on`);
      for (const prefix of item.value.prefixes) found.prefixes.push(prefix);
    }
  }
  return ok(sessions);
}

function keyText(key: Uint8Array): string {
  return Buffer.from(key).toString('hex');
}
