/**
 * The shell of one session: its machine, the socket that it sends from, its counters, its log lines and its records. It decides nothing about
 * the protocol.
 */
import { familyOfText } from '../address/index.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { reasonOf } from '../result.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import { diagnosticText } from './codec/diagnostic.ts';
import type { ReceivedPacket } from './codec/packet.ts';
import type { PassedSession } from './codec/passed-session.ts';
import { pathOf, portOf } from './demultiplexer.ts';
import { EchoFunction } from './echo-function.ts';
import { echoOf, type Floor, machineSettings } from './floor.ts';
import type { Lateness } from './lateness.ts';
import { type SessionAction, SessionMachine } from './machine/session-machine.ts';
import {
  type BfdChange,
  type BfdDropReason,
  type BfdEchoStatus,
  type BfdSessionStatus,
  bfdMachine,
} from './messages.ts';
import type { BfdSessionSettings } from './session-settings.ts';
import { octetsOf } from './transport/address-octets.ts';
import type { BfdTransport, SendPort } from './transport/transport.ts';

/** A fault is logged again only if it was absent for this long. Otherwise, a fault that comes and goes with each packet would fill the log. */
export const faultPauseMs = 600_000;

export interface SessionOptions {
  readonly settings: BfdSessionSettings;
  readonly localDiscriminator: number;
  readonly floor: Floor;
  readonly clock: Clock;
  readonly random: () => number;
  readonly transport: Pick<BfdTransport, 'openSender' | 'openEcho'>;
  /** 8 unpredictable octets. */
  readonly echoCookie: Uint8Array;
  /** Called when Echo packets wait to be read. */
  readonly onEcho: (session: BfdSession) => void;
  readonly recorder: FlightRecorder;
  readonly logger: Logger;
  readonly lateness: Lateness;
  readonly onChange: (change: BfdChange) => void;
  /** Present when an earlier process has passed the session on. */
  readonly inherited?: PassedSession;
}

export class BfdSession {
  readonly peerOctets: Uint8Array;
  readonly machine: SessionMachine;
  readonly #options: SessionOptions;
  #settings: BfdSessionSettings;
  #warning: string | undefined;
  #echo: EchoFunction | undefined;
  #returnsEcho = false;
  #sender: SendPort | undefined;
  /** Why there is no sender, or why the last packet was not sent. */
  #sendFault: string | undefined;
  /** Why nothing can be received. */
  #receiveFault: string | undefined;
  #sinceEpochMs: number;
  #sent = 0;
  #received = 0;
  #ups = 0;
  #downs = 0;
  readonly #dropped: Partial<Record<BfdDropReason, number>> = {};
  #lastDropped: { readonly reason: BfdDropReason; readonly atMs: number } | undefined;
  /** The reasons of the drops that have been recorded since the last change of state. */
  readonly #recordedDrops = new Set<BfdDropReason>();
  readonly #loggedDrops = new Set<BfdDropReason>();
  /** When each fault was last noted. */
  readonly #faultsAtMs = new Map<string, number>();

  constructor(options: SessionOptions) {
    const { settings, localDiscriminator, floor, clock, random } = options;
    this.#options = options;
    this.#settings = settings;
    this.peerOctets = octetsOf(settings.peerAddress);
    this.#openEcho(localDiscriminator);
    const translated = machineSettings(settings, floor, this.#returnsEcho);
    this.#warning = translated.warning;
    this.machine = new SessionMachine({
      localDiscriminator,
      settings: translated.settings,
      random,
      nowMs: clock.now(),
      ...(options.inherited ? { inherited: options.inherited } : {}),
    });
    this.#sinceEpochMs = clock.epochMs();
    this.openSender();
  }

  get settings(): BfdSessionSettings {
    return this.#settings;
  }

  /** Reopens sockets that are missing, or whose interface has been replaced. */
  maintain(): void {
    this.openSender();
    const { returnsEcho } = this.machine.settings;
    this.#openEcho(this.machine.localDiscriminator);
    if (returnsEcho !== undefined && returnsEcho !== this.#returnsEcho) this.configure(this.#settings);
  }

  openSender(): void {
    if (this.#sender?.isAlive()) return;
    this.#sender?.close();
    this.#sender = undefined;
    const { peerAddress, interface: device, localAddress, mode } = this.#settings;
    try {
      this.#sender = this.#options.transport.openSender({
        peerAddress,
        port: portOf(mode),
        ...(device === undefined ? {} : { interface: device }),
        ...(localAddress === undefined ? {} : { localAddress }),
      });
      this.#sendFault = undefined;
    } catch (error) {
      this.#setSendFault(reasonOf(error));
    }
  }

  /** `fault` says why nothing can be received; `undefined` when packets can be received. */
  setReceiveFault(fault: string | undefined): void {
    if (fault !== undefined) this.#logFault(fault);
    this.#receiveFault = fault;
  }

  /** Applies an edit. If the edit renames the session, the caller first removes its trace from the flight recorder. */
  configure(settings: BfdSessionSettings): void {
    this.#settings = settings;
    this.#openEcho(this.machine.localDiscriminator);
    const translated = machineSettings(settings, this.#options.floor, this.#returnsEcho);
    this.#warning = translated.warning;
    this.#run({ kind: 'configure' }, this.machine.configure(translated.settings, this.#options.clock.now()));
  }

  setAdminDown(isDown: boolean): void {
    const actions = this.machine.setAdminDown(isDown, this.#options.clock.now());
    this.#run({ kind: 'admin-down', isDown }, actions);
  }

  receive(packet: ReceivedPacket, octets: Uint8Array): void {
    const actions = this.machine.receive(packet, octets, this.#options.clock.now());
    if (!actions.some(({ kind }) => kind === 'drop')) this.#received++;
    this.#run({ kind: 'packet', packet }, actions);
  }

  /** Reads the Echo packets that have arrived, at most `limit`. Returns whether more may wait. */
  readEcho(limit: number): boolean {
    const { clock } = this.#options;
    const handle = (sequence: number) =>
      this.#run({ kind: 'echo', sequence }, this.machine.echoReturned(sequence, clock.now()));
    return this.#echo?.read(limit, handle) ?? false;
  }

  wake(nowMs: number): void {
    if (nowMs < this.machine.wakeAtMs) return;
    this.#run({ kind: 'wake' }, this.machine.wake(nowMs));
  }

  /** Counts a packet that was dropped before it reached the machine. */
  dropped(reason: BfdDropReason, detail: string): void {
    this.#countDrop(reason, detail);
    if (this.#isNewDrop(reason)) this.#record({ kind: 'packet' }, [{ kind: 'drop', reason, detail }]);
  }

  /** The peer's Detection Time: after this time without a packet from us, the peer declares the session down. */
  get peerDetectionMs(): number {
    return (this.machine.settings.detectMultiplier * this.machine.transmitInterval) / 1000;
  }

  /** Continues the session of an earlier process: sends the first packet, and reports the state. */
  wentOn(): void {
    const { clock, logger } = this.#options;
    logger.info({ peer: this.#settings.name }, 'BFD session goes on in this process');
    this.wake(clock.now());
    this.#options.onChange(this.change());
  }

  /** The session for a successor of this process; `undefined` unless it is Up. */
  passOn(): PassedSession | undefined {
    const passed = this.machine.passOn();
    return passed && { ...passed, path: pathOf(this.#settings) };
  }

  close(): void {
    this.#sender?.close();
    this.#sender = undefined;
    this.#echo?.close();
  }

  change(): BfdChange {
    const { state, diagnostic, remote } = this.machine;
    return {
      id: this.#settings.id,
      state,
      remoteState: remote.state,
      diagnostic,
      remoteDiagnostic: remote.diagnostic,
      sinceEpochMs: this.#sinceEpochMs,
      remoteControlPlaneIndependent: remote.controlPlaneIndependent,
    };
  }

  status(nowMs: number): BfdSessionStatus {
    const { localDiscriminator, remote, intervals, settings, lastReceivedMs } = this.machine;
    const fault = this.#receiveFault ?? this.#sendFault;
    const last = this.#lastDropped;
    const warnings = [this.#warning, this.#echoWarning()].filter((each) => each !== undefined);
    return {
      ...this.change(),
      name: this.#settings.name,
      peerAddress: this.#settings.peerAddress,
      localDiscriminator,
      remoteDiscriminator: remote.discriminator,
      desiredTransmitIntervalMs: intervals.advertised.desiredMinTx / 1000,
      requiredReceiveIntervalMs: intervals.advertised.requiredMinRx / 1000,
      detectMultiplier: settings.detectMultiplier,
      remoteDesiredTransmitIntervalMs: remote.desiredMinTxInterval / 1000,
      remoteRequiredReceiveIntervalMs: remote.requiredMinRxInterval / 1000,
      remoteDetectMultiplier: remote.detectMultiplier,
      remoteDemandMode: remote.demand,
      transmitIntervalMs: this.machine.transmitInterval / 1000,
      detectionTimeMs: this.machine.detectionTime / 1000,
      passive: settings.passive,
      isPolling: intervals.isPolling,
      sent: this.#sent,
      received: this.#received,
      ups: this.#ups,
      downs: this.#downs,
      dropped: { ...this.#dropped },
      ...(last && { lastDropped: { reason: last.reason, agoMs: nowMs - last.atMs } }),
      ...(lastReceivedMs === undefined ? {} : { lastReceivedAgoMs: nowMs - lastReceivedMs }),
      ...(fault === undefined ? {} : { fault }),
      ...(this.#echo ? { echo: this.#echoStatus(this.#echo) } : {}),
      ...(warnings.length === 0 ? {} : { warning: warnings.join('; ') }),
    };
  }

  /** Opens, maintains or closes the socket of the echo function, as the settings say. */
  #openEcho(discriminator: number): void {
    if (!echoOf(this.#settings)) {
      this.#echo?.close();
      this.#echo = undefined;
    } else if (this.#echo) this.#echo.maintain();
    else
      this.#echo = new EchoFunction({
        ...{ settings: this.#settings, discriminator, transport: this.#options.transport },
        cookie: this.#options.echoCookie,
        onReadable: () => this.#options.onEcho(this),
      });
    this.#returnsEcho = this.#echo?.returnsEcho() ?? false;
  }

  /** A sentence that says how the echo function falls short of the settings. */
  #echoWarning(): string | undefined {
    const { echo, peerAddress } = this.#settings;
    if (!echo) return undefined;
    if (familyOfText(peerAddress) === 6) return 'Echo packets work over IPv4 only';
    if (!this.#echo) return 'Echo packets need a single-hop session';
    if (this.#echo.fault !== undefined) return this.#echo.fault;
    if (!this.#returnsEcho)
      return "the node does not return the peer's Echo packets, because it does not forward IPv4";
    if (this.machine.state !== 'Up' || this.machine.echo.isProven) return undefined;
    return this.machine.remote.requiredMinEchoRxInterval === 0
      ? 'the peer offers no echo function'
      : 'the peer has not returned an Echo packet yet';
  }

  #echoStatus({ sent, received }: EchoFunction): BfdEchoStatus {
    const { isActive, intervalMs } = this.machine.echo;
    return { isActive, intervalMs, sent, received };
  }

  #run(
    event: { readonly kind: string; readonly [key: string]: unknown },
    actions: readonly SessionAction[],
  ): void {
    let isNews = event.kind === 'configure';
    for (const action of actions) {
      switch (action.kind) {
        case 'send':
          this.#send(action.octets);
          if (action.lateMs !== undefined)
            this.#options.lateness.add(action.lateMs, this.#options.clock.now());
          break;
        case 'echo':
          if (!this.#echo?.send(action.sequence))
            this.#run({ kind: 'echo-not-sent' }, this.machine.echoNotSent(this.#options.clock.now()));
          break;
        case 'drop':
          this.#countDrop(action.reason, action.detail);
          isNews ||= this.#isNewDrop(action.reason);
          break;
        case 'changed':
          this.#changed(action.from);
          isNews = true;
          break;
        default:
          isNews = true;
      }
    }
    if (isNews) this.#record(event, actions);
  }

  #record(event: object, actions: readonly object[]): void {
    this.#options.recorder.record(bfdMachine(this.#settings.name), this.machine.state, event, actions);
  }

  #isNewDrop(reason: BfdDropReason): boolean {
    if (this.#recordedDrops.has(reason)) return false;
    this.#recordedDrops.add(reason);
    return true;
  }

  #send(octets: Uint8Array): void {
    if (!this.#sender) return;
    const refused = this.#sender.send(octets);
    if (refused === undefined) {
      this.#sent++;
      this.#sendFault = undefined;
    } else this.#setSendFault(`the system refuses to send: ${refused}`);
  }

  #setSendFault(fault: string): void {
    this.#logFault(fault);
    this.#sendFault = fault;
  }

  /** Logs a fault in sending or receiving, unless the same fault was noted within `faultPauseMs`. */
  #logFault(reason: string): void {
    const nowMs = this.#options.clock.now();
    const notedAtMs = this.#faultsAtMs.get(reason);
    this.#faultsAtMs.set(reason, nowMs);
    if (notedAtMs !== undefined && nowMs - notedAtMs < faultPauseMs) return;
    this.#options.logger.warn({ peer: this.#settings.name, reason }, 'BFD session cannot run');
  }

  #changed(from: SessionMachine['state']): void {
    const { clock, lateness, logger, onChange } = this.#options;
    const { state, diagnostic, remote } = this.machine;
    if (state !== from) {
      this.#sinceEpochMs = clock.epochMs();
      this.#recordedDrops.clear();
      const peer = this.#settings.name;
      const reason = diagnosticText(diagnostic);
      const remoteReason = diagnosticText(remote.diagnostic);
      if (state === 'Up') {
        this.#ups++;
        logger.info({ peer }, 'BFD session is up');
      } else if (from === 'Up') {
        this.#downs++;
        // The end of a session that is removed, or that ends with the process, is not a fault.
        if (state === 'AdminDown') logger.info({ peer, reason }, 'BFD session ended');
        else {
          // The peer may have declared this node silent because our packets were late.
          const sentLateMs = Math.round(lateness.recentMaxMs(clock.now()));
          logger.warn({ peer, reason, remoteReason, sentLateMs }, 'BFD session went down');
        }
      }
    }
    onChange(this.change());
  }

  #countDrop(reason: BfdDropReason, detail: string): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
    this.#lastDropped = { reason, atMs: this.#options.clock.now() };
    // A packet after an administrative shutdown is not a fault.
    if (reason === 'admin-down' || this.#loggedDrops.has(reason)) return;
    this.#loggedDrops.add(reason);
    this.#options.logger.warn({ peer: this.#settings.name, reason: detail }, 'BFD packet dropped');
  }
}
