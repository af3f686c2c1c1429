import type { Clock } from '../../clock.ts';
import { Alarm } from '../alarm.ts';
import { Cease, cease } from '../cease.ts';
import { encodeMessage, type ReceiveOptions, standardMessageLimit } from '../codec/index.ts';
import { initialFsmState, step } from '../fsm.ts';
import type {
  DownCause,
  FsmAction,
  FsmConfig,
  FsmEvent,
  FsmState,
  FsmTimer,
  NotificationError,
} from '../fsm-types.ts';
import type { Message, OpenMessage } from '../message.ts';
import { type LocalEnd, localOpen, type Negotiated } from '../negotiation.ts';
import type { BgpState } from '../speaker-api.ts';
import type { Stream, StreamHandler } from '../transport/transport.ts';
import { type Received, Receiver } from './receiver.ts';

/** What a connection asks of the session it belongs to, and tells it. */
export interface ConnectionOwner {
  readonly clock: Clock;
  readonly random: () => number;
  /** Opens the TCP connection that the machine wants. */
  connect(handler: StreamHandler): Stream;
  /** What a connection that begins brings to its OPEN. */
  localEnd(): LocalEnd;
  /** What the peer's OPEN and ours agree on, or the error to send; `undefined` when this connection has lost a collision. */
  judge(
    connection: Connection,
    open: OpenMessage,
  ): Negotiated | { readonly error: NotificationError } | undefined;
  changed(connection: Connection, from: BgpState): void;
  up(connection: Connection): void;
  down(connection: Connection, cause: DownCause): void;
  /** An attempt to connect got no answer in time; the machine tries again. */
  unanswered(): void;
  received(connection: Connection, received: Received): void;
  sent(message: Message, octets: number): void;
  receivedBytes(octets: number): void;
  drained(connection: Connection): void;
  /** Counts and logs an exception while octets of the peer were handled. */
  broken(octets: Uint8Array | undefined, error: unknown): void;
}

/** Until both OPENs are there nothing is agreed on. */
const beforeOpen: ReceiveOptions = {
  receiveLimit: standardMessageLimit,
  fourOctetAs: false,
  internal: false,
  extendedNextHop: false,
};

/**
 * The shell of one state machine: its socket, its timers and its messages. It turns what happens into events, runs the actions,
 * and decides nothing, except that no timer declares a peer dead before its evidence has been read.
 */
export class Connection {
  readonly #owner: ConnectionOwner;
  readonly #alarms: Record<FsmTimer, Alarm>;
  #state: FsmState = initialFsmState;
  #stream: Stream | undefined;
  #receiver = new Receiver();
  #negotiated: Negotiated | undefined;
  #local: LocalEnd | undefined;
  /** Bytes the peer had acknowledged when the send hold timer was started. */
  #acknowledged = 0;
  #config: FsmConfig;
  #initiator: 'us' | 'peer' = 'us';
  #closing: Promise<void> = Promise.resolve();
  #discarded = false;

  constructor(owner: ConnectionOwner, config: FsmConfig) {
    this.#owner = owner;
    this.#config = config;
    const alarm = (timer: FsmTimer) => new Alarm(owner.clock, () => this.#expired(timer));
    this.#alarms = {
      'connect-retry': alarm('connect-retry'),
      hold: alarm('hold'),
      keepalive: alarm('keepalive'),
      'delay-open': alarm('delay-open'),
      'idle-hold': alarm('idle-hold'),
      'send-hold': alarm('send-hold'),
      lasting: alarm('lasting'),
    };
  }

  get state(): FsmState {
    return this.#state;
  }

  /** Agreed on by both OPENs; `undefined` before. */
  get negotiated(): Negotiated | undefined {
    return this.#negotiated;
  }

  /** What this connection's OPEN says, or will say: the peer's is judged beside that, and beside nothing newer. */
  get local(): LocalEnd {
    this.#local ??= this.#owner.localEnd();
    return this.#local;
  }

  get stream(): Stream | undefined {
    return this.#stream;
  }

  /** Who made the TCP connection. */
  get initiator(): 'us' | 'peer' {
    return this.#initiator;
  }

  /** Resolves when the connection that was dropped last is closed. */
  get closing(): Promise<void> {
    return this.#closing;
  }

  /** Takes over how often connections of the peer broke: a peer is damped, and not a connection. */
  inherit({ oscillations, connectRetryCounter }: FsmState): void {
    this.#state = {
      ...this.#state,
      oscillations: Math.max(this.#state.oscillations, oscillations),
      connectRetryCounter: Math.max(this.#state.connectRetryCounter, connectRetryCounter),
    };
  }

  /** Goes on with another configuration, from the next step on. */
  configure(config: FsmConfig): void {
    this.#config = config;
  }

  /** Feeds the machine and runs what it answers. */
  handle(event: FsmEvent): void {
    if (this.#discarded) return;
    const before = this.#state;
    const { state, actions } = step(before, event, this.#config, this.#owner.random());
    this.#state = state;
    if (state.name !== before.name) this.#owner.changed(this, before.name);
    for (const action of actions) this.#run(action);
  }

  /** Takes a connection that the peer has made. */
  adopt(accept: (handler: StreamHandler) => Stream): void {
    this.#initiator = 'peer';
    this.#attach(accept);
    this.handle({ kind: 'tcp-connected' });
  }

  write(bytes: Uint8Array): void {
    this.#stream?.write(bytes);
  }

  send(message: Message): void {
    const bytes = encodeMessage(message, { fourOctetAs: this.#negotiated?.fourOctetAs ?? false });
    this.#stream?.write(bytes);
    this.#owner.sent(message, bytes.length);
  }

  /** Stops everything without telling anybody: another connection has taken this one's place. */
  discard(): void {
    this.#discarded = true;
    for (const alarm of Object.values(this.#alarms)) alarm.stop();
    this.#end();
  }

  #attach(open: (handler: StreamHandler) => Stream): void {
    this.#stream?.destroy();
    this.#receiver = new Receiver();
    this.#negotiated = undefined;
    this.#local = undefined;
    const handler: StreamHandler = {
      onConnected: () =>
        this.#stream === stream && this.#guard(undefined, () => this.handle({ kind: 'tcp-connected' })),
      onData: (bytes) => this.#stream === stream && this.#guard(bytes, () => this.#read(bytes)),
      onDrain: () => this.#stream === stream && this.#guard(undefined, () => this.#owner.drained(this)),
      onClosed: (cause) => {
        if (this.#stream !== stream) return;
        this.#stream = undefined;
        this.#guard(undefined, () => this.handle({ kind: 'tcp-failed', cause }));
      },
    };
    const stream = open(handler);
    this.#stream = stream;
  }

  /** An exception is a bug. It costs this connection, which ends with a Cease, and nothing else. */
  #guard(octets: Uint8Array | undefined, handle: () => void): void {
    try {
      handle();
    } catch (error) {
      this.#owner.broken(octets, error);
      const cause = `internal error: ${error instanceof Error ? error.message : String(error)}`;
      try {
        this.handle({ kind: 'reset', error: cease(Cease.unspecific), cause });
      } catch (again) {
        this.#owner.broken(undefined, again);
      }
    }
  }

  #read(bytes: Uint8Array): void {
    this.#owner.receivedBytes(bytes.length);
    const stream = this.#stream;
    this.#receiver.push(bytes);
    // A message may end the connection: what follows it is not heard.
    while (this.#stream === stream) {
      const received = this.#receiver.next(this.#negotiated ?? beforeOpen);
      if (!received) return;
      this.#owner.received(this, received);
      this.#hear(received);
    }
  }

  #hear(received: Received): void {
    if (received.kind === 'error') {
      this.handle({ kind: 'message-error', error: received.error });
      return;
    }
    const { message } = received;
    switch (message.kind) {
      case 'open':
        this.#hearOpen(message);
        return;
      case 'notification':
        this.handle({ kind: 'notification', error: message });
        return;
      case 'keepalive':
        this.handle({ kind: 'keepalive' });
        return;
      case 'update':
      case 'route-refresh':
        this.handle({ kind: 'update' });
        return;
    }
  }

  #hearOpen(open: OpenMessage): void {
    const { name, delayOpenRunning } = this.#state;
    if (name !== 'OpenSent' && !delayOpenRunning) {
      this.handle({ kind: 'open', holdTimeMs: 0, keepaliveMs: 0 });
      return;
    }
    const judgement = this.#owner.judge(this, open);
    if (!judgement || this.#discarded) return;
    if ('error' in judgement) {
      this.handle({ kind: 'message-error', error: judgement.error });
      return;
    }
    this.#negotiated = judgement;
    this.handle({
      kind: 'open',
      holdTimeMs: judgement.holdTimeSeconds * 1000,
      keepaliveMs: judgement.keepaliveTimeSeconds * 1000,
    });
  }

  #expired(timer: FsmTimer): void {
    if (timer === 'hold') this.#judgeSilence();
    else if (timer === 'send-hold') this.#judgeStandstill();
    else {
      if (timer === 'connect-retry' && this.#state.tcp === 'connecting') this.#owner.unanswered();
      this.handle({ kind: 'timer', timer });
    }
  }

  /** A busy loop is not a silent peer: what has arrived meanwhile is read before the hold timer is believed. */
  #judgeSilence(): void {
    this.#owner.clock.after(1, () => {
      if (this.#alarms.hold.deadline === undefined) this.handle({ kind: 'timer', timer: 'hold' });
    });
  }

  /** RFC 9687: the timer counts from the last octet that the peer took; keepalives see to it that there always is one to take. */
  #judgeStandstill(): void {
    if ((this.#stream?.acknowledgedBytes() ?? 0) > this.#acknowledged) this.#startSendHold();
    else this.handle({ kind: 'timer', timer: 'send-hold' });
  }

  #startSendHold(): void {
    this.#acknowledged = this.#stream?.acknowledgedBytes() ?? 0;
    this.#alarms['send-hold'].start(Math.max(this.#config.sendHoldMs, 2 * this.#state.holdTimeMs));
  }

  #end(): void {
    if (this.#stream) this.#closing = this.#stream.end();
    this.#stream = undefined;
  }

  #run(action: FsmAction): void {
    switch (action.kind) {
      case 'connect':
        this.#initiator = 'us';
        this.#attach((handler) => this.#owner.connect(handler));
        return;
      case 'send-open':
        this.send(localOpen(this.local));
        return;
      case 'send-keepalive':
        this.send({ kind: 'keepalive' });
        return;
      case 'send-notification':
        this.send({ kind: 'notification', ...action.error });
        return;
      case 'drop':
        this.#end();
        return;
      case 'start-timer':
        if (action.timer === 'send-hold') this.#startSendHold();
        else this.#alarms[action.timer].start(action.delayMs);
        return;
      case 'stop-timer':
        this.#alarms[action.timer].stop();
        return;
      case 'up':
        this.#owner.up(this);
        return;
      case 'down':
        this.#owner.down(this, action.cause);
        return;
    }
  }
}
