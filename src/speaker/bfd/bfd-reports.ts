/** Passes the changes of BFD sessions to BGP, counts them, and records them as events of the Node. */

import { diagnostic as diagnostics, diagnosticText } from '../../bfd/codec/diagnostic.ts';
import type { BfdChange } from '../../bfd/messages.ts';
import type { BfdSessionSettings } from '../../bfd/session-settings.ts';
import type { BgpSpeaker } from '../../bgp/index.ts';
import { type EventRecord, regardingNode } from '../../kubernetes/events.ts';
import type { Node } from '../../kubernetes/model.ts';
import type { BfdDowns } from './bfd-metrics.ts';

export interface BfdReportsOptions {
  readonly bgp: Pick<BgpSpeaker, 'bfdChanged'>;
  readonly events: { record(event: EventRecord): void };
  readonly downs: BfdDowns;
  /** The peers that a session watches. */
  readonly peersOf: (sessionId: string) => readonly WatchedPeer[];
  /** The Node of this speaker; `undefined` while it is not known. */
  readonly node: () => Node | undefined;
}

export interface WatchedPeer {
  readonly id: string;
  readonly name: string;
}

export class BfdReports {
  readonly #options: BfdReportsOptions;
  /** Ids of the sessions that are Up. */
  readonly #up = new Set<string>();
  /** The last change of each session, by its id. */
  readonly #last = new Map<string, BfdChange>();

  constructor(options: BfdReportsOptions) {
    this.#options = options;
  }

  /**
   * Takes the sessions of the configuration, and forgets all others. `joined` are the ids of the peers that now have a different session. A
   * peer may join a session that watches another peer at the same address and is already Up. That session then reports no change, so its last change
   * is passed on for the new peer.
   */
  configured(sessions: readonly BfdSessionSettings[], joined: readonly string[]): void {
    const { bgp, downs, peersOf } = this.#options;
    const ids = new Set(sessions.map(({ id }) => id));
    for (const id of this.#up) if (!ids.has(id)) this.#up.delete(id);
    for (const id of this.#last.keys()) if (!ids.has(id)) this.#last.delete(id);
    const watched = sessions.flatMap(({ id }) =>
      peersOf(id).map((peer) => ({ ...peer, last: this.#last.get(id) })),
    );
    downs.keepOnly(new Set(watched.map(({ name }) => name)));
    for (const { id, last } of watched) if (last && joined.includes(id)) bgp.bfdChanged(id, last);
  }

  handle(change: BfdChange): void {
    const { bgp, peersOf } = this.#options;
    this.#last.set(change.id, change);
    const peers = peersOf(change.id);
    // BGP gets the change first, because routes depend on it. Counts and events can wait.
    for (const { id } of peers) bgp.bfdChanged(id, change);
    const wasUp = this.#up.has(change.id);
    const isUp = change.state === 'Up';
    if (isUp === wasUp) return;
    if (isUp) this.#up.add(change.id);
    else this.#up.delete(change.id);
    for (const { name } of peers) isUp ? this.#cameUp(name) : this.#wentDown(name, change);
  }

  #cameUp(peer: string): void {
    this.#record('Normal', 'BfdUp', `BFD session with peer ${peer} is up`);
  }

  #wentDown(peer: string, { diagnostic, remoteState, remoteDiagnostic, state }: BfdChange): void {
    // A session that goes down reports a diagnostic. Without one, this is a new session in place of the one that was Up, and nothing has failed.
    if (diagnostic === diagnostics.none && state !== 'AdminDown') return;
    const side = diagnostic === diagnostics.neighborSignaledSessionDown ? 'remote' : 'local';
    this.#options.downs.count(peer, diagnostic, side);
    // An intended end is not recorded.
    if (state === 'AdminDown') return;
    const reason = remoteState === 'AdminDown' ? 'the peer has shut it down' : diagnosticText(diagnostic);
    const remote =
      side === 'remote' && remoteDiagnostic !== 0
        ? ` (the peer says: ${diagnosticText(remoteDiagnostic)})`
        : '';
    this.#record('Warning', 'BfdDown', `BFD session with peer ${peer} went down: ${reason}${remote}`);
  }

  #record(type: EventRecord['type'], reason: 'BfdUp' | 'BfdDown', message: string): void {
    const node = this.#options.node();
    if (node) this.#options.events.record({ regarding: regardingNode(node), type, reason, message });
  }
}
