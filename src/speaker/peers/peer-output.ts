import type { BfdSessionSettings } from '../../bfd/session-settings.ts';
import type { BgpSpeaker } from '../../bgp/index.ts';
import type { PeerSetChange } from './peer-set.ts';

/** Receives the BFD sessions of the node. */
export interface BfdSink {
  /** `joined` holds the ids of the configured peers that now have a different BFD session than before, or that had one and now have none. */
  setSessions(sessions: readonly BfdSessionSettings[], joined: readonly string[]): void;
}

/** The BFD state of a peer before its BFD session reports anything. */
const unknownToBfd = {
  state: 'Down',
  remoteState: 'Down',
  diagnostic: 0,
  remoteControlPlaneIndependent: false,
} as const;

/** Passes the peers of this node to BGP and to BFD. While the output is closed, BGP has no peers, and BFD has no sessions. */
export class PeerOutput {
  readonly #bgp: Pick<BgpSpeaker, 'setPeers' | 'bfdChanged'>;
  readonly #bfd: BfdSink;
  #isOpen: boolean;
  #last: PeerSetChange | undefined;

  constructor(
    bgp: Pick<BgpSpeaker, 'setPeers' | 'bfdChanged'>,
    bfd: BfdSink,
    { isOpen }: { readonly isOpen: boolean },
  ) {
    this.#bgp = bgp;
    this.#bfd = bfd;
    this.#isOpen = isOpen;
  }

  set(change: PeerSetChange): void {
    this.#last = change;
    if (this.#isOpen) this.#pass(change, change.bfd.replaced);
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    if (!this.#last) return;
    const { peers, bfd } = this.#last;
    const watched = peers.map(({ id }) => id).filter((id) => bfd.peers.get(id)?.sessionId !== undefined);
    this.#pass(this.#last, watched);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#bgp.setPeers([]);
    this.#bfd.setSessions([], []);
  }

  #pass({ peers, bfd }: PeerSetChange, replaced: readonly string[]): void {
    // BGP restarts the session of an edited peer at once, so it must know by then that BFD has not seen the peer at its new address.
    for (const peer of replaced) this.#bgp.bfdChanged(peer, unknownToBfd);
    this.#bgp.setPeers(peers);
    this.#bfd.setSessions(bfd.sessions, replaced);
  }
}
