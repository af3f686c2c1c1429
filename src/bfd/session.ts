/**
 * The shell of one session: its machine, the socket that it sends from, its counters, its log lines and its records. It decides nothing about
 * the protocol.
 */
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import { diagnosticText } from './codec/diagnostic.ts';
import type { ReceivedPacket } from './codec/packet.ts';
import { portOf } from './demultiplexer.ts';
import { type Floor, machineSettings } from './floor.ts';
import type { Lateness } from './lateness.ts';
import { type SessionAction, SessionMachine } from './machine/session-machine.ts';
import { type BfdChange, type BfdDropReason, type BfdSessionStatus, bfdMachine } from './messages.ts';
import type { BfdSessionSettings } from './session-settings.ts';
import { octetsOf } from './transport/address-octets.ts';
import type { BfdTransport, SendPort } from './transport/transport.ts';

export interface SessionOptions {
  readonly settings: BfdSessionSettings;
  readonly localDiscriminator: number;
  readonly floor: Floor;
  readonly clock: Clock;
  readonly random: () => number;
  readonly transport: Pick<BfdTransport, 'openSender'>;
  readonly recorder: FlightRecorder;
  readonly logger: Logger;
  readonly lateness: Lateness;
  readonly onChange: (change: BfdChange) => void;
}

export class BfdSession {
  readonly peerOctets: Uint8Array;
  readonly machine: SessionMachine;
  readonly #options: SessionOptions;
  #settings: BfdSessionSettings;
  #warning: string | undefined;
  #sender: SendPort | undefined;
  /** Why there is no sender, or why the last packet was not sent. */
  #sendFault: string | undefined;
  /** Why nothing can be received. */
  #receiveFault: string | undefined;
  #sinceMs: number;
  #sent = 0;
  #received = 0;
  #ups = 0;
  #downs = 0;
  readonly #dropped: Partial<Record<BfdDropReason, number>> = {};
  /** Drops that have been recorded since the last change of state. */
  readonly #recordedDrops = new Set<BfdDropReason>();
  readonly #loggedDrops = new Set<BfdDropReason>();

  constructor(options: SessionOptions) {
    const { settings, localDiscriminator, floor, clock, random } = options;
    this.#options = options;
    this.#settings = settings;
    this.peerOctets = octetsOf(settings.peerAddress);
    const translated = machineSettings(settings, floor);
    this.#warning = translated.warning;
    this.machine = new SessionMachine({
      localDiscriminator,
      settings: translated.settings,
      random,
      nowMs: clock.now(),
    });
    this.#sinceMs = clock.epochMs();
    this.openSender();
  }

  get settings(): BfdSessionSettings {
    return this.#settings;
  }

  /** Opens the socket again when it is missing, or when its interface has been replaced. */
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
      this.#setSendFault(error instanceof Error ? error.message : String(error));
    }
  }

  /** `fault` says why nothing can be received; `undefined` when packets can be received. */
  setReceiveFault(fault: string | undefined): void {
    if (fault !== undefined) this.#logFault(fault);
    this.#receiveFault = fault;
  }

  configure(settings: BfdSessionSettings, floor: Floor): void {
    if (settings.name !== this.#settings.name) this.#options.recorder.forget(bfdMachine(this.#settings.name));
    const translated = machineSettings(settings, floor);
    this.#settings = settings;
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

  wake(nowMs: number): void {
    if (nowMs < this.machine.wakeAtMs) return;
    this.#run({ kind: 'wake' }, this.machine.wake(nowMs));
  }

  /** Counts a packet that was dropped before it reached the machine. */
  dropped(reason: BfdDropReason, detail: string): void {
    this.#countDrop(reason, detail);
    if (this.#isNewDrop(reason)) this.#record({ kind: 'packet' }, [{ kind: 'drop', reason, detail }]);
  }

  /** Milliseconds for which the peer may go without a packet before it notices. */
  get peerDetectionMs(): number {
    return (this.machine.settings.detectMultiplier * this.machine.transmitInterval) / 1000;
  }

  close(): void {
    this.#sender?.close();
    this.#sender = undefined;
    this.#options.recorder.forget(bfdMachine(this.#settings.name));
  }

  change(): BfdChange {
    const { state, diagnostic, remote } = this.machine;
    return {
      id: this.#settings.id,
      state,
      remoteState: remote.state,
      diagnostic,
      remoteDiagnostic: remote.diagnostic,
      sinceMs: this.#sinceMs,
      remoteControlPlaneIndependent: remote.controlPlaneIndependent,
    };
  }

  status(nowMs: number): BfdSessionStatus {
    const { localDiscriminator, remote, intervals, settings, lastReceivedMs } = this.machine;
    const fault = this.#receiveFault ?? this.#sendFault;
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
      isPolling: intervals.isPolling,
      sent: this.#sent,
      received: this.#received,
      ups: this.#ups,
      downs: this.#downs,
      dropped: { ...this.#dropped },
      ...(lastReceivedMs === undefined ? {} : { lastReceivedAgoMs: nowMs - lastReceivedMs }),
      ...(fault === undefined ? {} : { fault }),
      ...(this.#warning === undefined ? {} : { warning: this.#warning }),
    };
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
          if (action.lateMs !== undefined) this.#options.lateness.add(action.lateMs);
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

  /** Logs a fault unless it lasts already, in one direction or the other. */
  #logFault(reason: string): void {
    if (reason === this.#sendFault || reason === this.#receiveFault) return;
    this.#options.logger.warn({ peer: this.#settings.name, reason }, 'BFD session cannot run');
  }

  #changed(from: SessionMachine['state']): void {
    const { clock, logger, onChange } = this.#options;
    const { state, diagnostic, remote } = this.machine;
    if (state !== from) {
      this.#sinceMs = clock.epochMs();
      this.#recordedDrops.clear();
      const peer = this.#settings.name;
      const reason = diagnosticText(diagnostic);
      const remoteReason = diagnosticText(remote.diagnostic);
      if (state === 'Up') {
        this.#ups++;
        logger.info({ peer }, 'BFD session is up');
      } else if (from === 'Up') {
        this.#downs++;
        // A session that is removed, or ends with the process, is no fault.
        if (state === 'AdminDown') logger.info({ peer, reason }, 'BFD session ended');
        else logger.warn({ peer, reason, remoteReason }, 'BFD session went down');
      }
    }
    onChange(this.change());
  }

  #countDrop(reason: BfdDropReason, detail: string): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
    // A packet after an administrative shutdown is no fault.
    if (reason === 'admin-down' || this.#loggedDrops.has(reason)) return;
    this.#loggedDrops.add(reason);
    this.#options.logger.warn({ peer: this.#settings.name, reason: detail }, 'BFD packet dropped');
  }
}
