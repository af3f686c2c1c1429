/** The state of the machine of one peer: its connections, and what it has learnt about the peer. */
import type { OpenMessage } from '../message.ts';
import type { LocalEnd, Negotiated } from '../negotiation.ts';
import { type BfdWatch, initialBfdWatch } from './bfd-watch.ts';
import { detailedState, type FsmConfig, type FsmState, initialFsmState } from './connection-state.ts';

/** The part of a peer's settings that its machine acts on. */
export interface PeerMachineSettings {
  /** False while something is missing, such as the password: the peer stays Idle. */
  readonly mayStart: boolean;
  readonly fsm: FsmConfig;
  /** Our side of the OPEN, without the parts that `localEndOf` adds. */
  readonly localEnd: Omit<LocalEnd, 'refusedCapabilities' | 'gracefulRestart' | 'bfdStrict'>;
  /** Present when graceful restart is offered (RFC 4724). */
  readonly restartTimeSeconds?: number;
  /** Present when long-lived graceful restart is offered as well (RFC 9494). */
  readonly longLivedStaleTimeSeconds?: number;
  /** Present when BFD watches the peer. */
  readonly bfd?: PeerBfdSettings;
}

export interface PeerBfdSettings {
  /**
   * `negotiate`: if the peer offers BFD strict mode too, wait for BFD in OpenSent. `local`: wait for BFD in Idle, and go on without it when it
   * stays down for `startWaitMs`.
   */
  readonly strict: 'off' | 'negotiate' | 'local';
  /** How long BFD must be Up before the session may come up. */
  readonly holdDownMs: number;
}

/** One TCP connection with the peer, or the attempt at one. */
export interface ConnectionState {
  /** Unique among the connections of a peer, and never reused. */
  readonly id: number;
  readonly fsm: FsmState;
  /** The end that made the TCP connection. */
  readonly initiator: 'local' | 'remote';
  /** When TCP came up, on the machine's clock; `undefined` until then. */
  readonly connectedAtMs: number | undefined;
  /** Our side of the OPEN on this connection. The peer's OPEN is judged against it, even if settings have changed since. */
  readonly local: LocalEnd | undefined;
  /** The peer's OPEN, once it is accepted. */
  readonly remote: OpenMessage | undefined;
  /** `undefined` until the peer's OPEN is accepted. The value is kept after the connection ends, until the next attempt starts. */
  readonly negotiated: Negotiated | undefined;
}

export interface PeerState {
  readonly settings: PeerMachineSettings;
  /** The connection that status shows and that edits apply to. */
  readonly primary: ConnectionState;
  /** A connection that the peer made while the primary was being set up or was Established. */
  readonly contender: ConnectionState | undefined;
  readonly nextConnectionId: number;
  /** The earliest time at which a contender is accepted, on the machine's clock. */
  readonly contenderAllowedAtMs: number;
  /** Capabilities to leave out of the next OPEN because the peer refused them (RFC 5492 section 5). */
  readonly refusedCapabilities: ReadonlySet<number> | 'all';
  /** The R bit of RFC 4724: this process replaced an earlier one, and no session with this peer has come up since. */
  readonly restarting: boolean;
  readonly hasBeenUp: boolean;
  readonly bfd: BfdWatch;
}

const noSettings: PeerMachineSettings = {
  mayStart: false,
  fsm: {
    passive: true,
    connectRetryMs: 0,
    delayOpenMs: 0,
    idleHoldMs: 0,
    idleHoldMaximumMs: 0,
    lastingMs: 0,
    sendHoldMs: 0,
  },
  localEnd: {
    asn: 0,
    peerAsn: 0,
    routerId: 0,
    holdTimeSeconds: 0,
    keepaliveTimeSeconds: 0,
    hostName: '',
    overIpv6: false,
  },
};

/** Id of the connection that a peer starts with. */
const firstConnectionId = 1;

/** The state before the `start` event, which brings the settings. */
export const initialPeerState: PeerState = {
  settings: noSettings,
  primary: {
    id: firstConnectionId,
    fsm: initialFsmState,
    initiator: 'local',
    connectedAtMs: undefined,
    local: undefined,
    remote: undefined,
    negotiated: undefined,
  },
  contender: undefined,
  nextConnectionId: firstConnectionId + 1,
  contenderAllowedAtMs: 0,
  refusedCapabilities: new Set(),
  restarting: false,
  hasBeenUp: false,
  bfd: initialBfdWatch,
};

/** Returns a text such as `Connect`, or `OpenSent, contender OpenConfirm` while there is a contender. */
export function describePeerState({ primary, contender }: PeerState): string {
  const name = detailedState(primary.fsm);
  return contender ? `${name}, contender ${detailedState(contender.fsm)}` : name;
}

/** Our side of the next OPEN. */
export function localEndOf({ settings, refusedCapabilities, restarting, hasBeenUp }: PeerState): LocalEnd {
  const { localEnd, restartTimeSeconds, longLivedStaleTimeSeconds: staleTime } = settings;
  const forwarding = restarting || hasBeenUp;
  return {
    ...localEnd,
    refusedCapabilities,
    bfdStrict: settings.bfd?.strict === 'negotiate',
    ...(restartTimeSeconds === undefined
      ? {}
      : {
          gracefulRestart: {
            restartTimeSeconds,
            ...(staleTime === undefined ? {} : { longLivedStaleTimeSeconds: staleTime }),
            restarting,
            forwarding,
          },
        }),
  };
}
