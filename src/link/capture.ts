/**
 * Frames of one link, in and out, through libpcap: not promiscuous, in immediate mode, with a filter in the kernel.
 *
 * The package has corners that this file keeps to itself. Its descriptor may fall silent for good, without an event, when the
 * link goes down: the owner closes and opens anew on every change of the link's epoch, and a capture that hears nothing
 * while the kernel counts frames for it reports itself lost. `close()` of the package only marks the session; it ends in a later
 * dispatch, when it takes a frame (see packet-socket.ts). And its poll handle lives inside the session object, linked into the event loop for ever, so that a session must
 * never be garbage collected.
 */
import pcap from 'pcap';
import type { Clock, Timer } from '../clock.ts';
import { openingPacketSocket, wakePacketSocket } from './packet-socket.ts';

export interface CaptureOptions {
  readonly interface: string;
  /** An expression of pcap-filter(7). */
  readonly filter: string;
  readonly clock: Clock;
  /** The frame stands in the first `length` octets and is overwritten by the next one. */
  readonly onFrame: (frame: Uint8Array, length: number) => void;
  /** It will hear nothing any more, and has closed itself. */
  readonly onLost: (reason: string) => void;
}

/** An open capture. */
export interface Capture {
  /** Puts a frame on the wire; false when the system refused it. */
  send(frame: Buffer): boolean;
  /** Takes in at once what has arrived, for a process that is busy for longer than askers should wait. */
  drain(): void;
  close(): void;
}

export type OpenCapture = (options: CaptureOptions) => Capture;

/** Room for the longest solicitation that is worth reading. */
const snapLength = 512;
/** Room for half a second of 20,000 frames in a second. */
const bufferBytes = 8 * 1024 * 1024;
const livenessIntervalMs = 1000;
/** An error of the link is fetched first, and the waking frame may be on its way still. */
const closeAttempts = 20;
const closed: PcapSession[] = [];

/** What we use of a session, and of the object within that is not in its typings. */
interface PcapSession {
  buf: Buffer;
  header: Buffer;
  link_type: string;
  on(event: 'packet', listener: (packet: { readonly buf: Buffer; readonly header: Buffer }) => void): void;
  close(): void;
  inject(frame: Buffer): void;
  stats(): { readonly ps_recv: number };
  readonly session: {
    read_callback: () => void;
    /** Number of packets read, or negative: -1 an error, -2 closed for good. */
    dispatch(buffer: Buffer, header: Buffer): number;
  };
}

/** Opens a capture. Throws when the interface is not there or the system refuses. */
export const openCapture: OpenCapture = (options) => new PcapCapture(options);

class PcapCapture implements Capture {
  readonly #session: PcapSession;
  readonly #fd: number;
  readonly #options: CaptureOptions;
  readonly #liveness = new CaptureLiveness();
  #timer: Timer;
  #delivered = 0;
  #isOpen = true;
  #isDraining = false;

  constructor(options: CaptureOptions) {
    this.#options = options;
    // Without an IPv4 address on the interface it would warn on the console.
    pcap.warningHandler = () => {};
    const [session, fd]: [unknown, number] = openingPacketSocket(() =>
      pcap.createSession(options.interface, {
        filter: options.filter,
        promiscuous: false,
        buffer_timeout: 0,
        buffer_size: bufferBytes,
        snap_length: snapLength,
      }),
    );
    this.#session = session as PcapSession;
    this.#fd = fd;
    this.#session.on('packet', ({ buf, header }) => {
      this.#delivered++;
      // Offset 8: the captured length, in the machine's byte order, which is little on all that Node runs on but s390x.
      if (this.#isOpen) options.onFrame(buf, Math.min(header.readUInt32LE(8), snapLength));
    });
    this.#session.session.read_callback = () => this.drain();
    this.#timer = options.clock.after(livenessIntervalMs, () => this.#checkLiveness());
    if (this.#session.link_type !== 'LINKTYPE_ETHERNET') {
      this.close();
      throw new Error(`${options.interface} is not an Ethernet link but ${this.#session.link_type}`);
    }
  }

  send(frame: Buffer): boolean {
    if (!this.#isOpen) return false;
    try {
      this.#session.inject(frame);
      return true;
    } catch {
      // libpcap gives no reason; a link that is down is the common one, and its end is told by the link's epoch.
      return false;
    }
  }

  drain(): void {
    // The buffer holds one frame: who looks at it must be done before the next is read.
    if (!this.#isOpen || this.#isDraining) return;
    this.#isDraining = true;
    const { buf, header, session } = this.#session;
    const isLost = session.dispatch(buf, header) < 0;
    this.#isDraining = false;
    if (isLost) this.#lose('the interface went away');
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#timer.cancel();
    // Its constructor reads once more in the next tick; ending it before would read from freed memory.
    setImmediate(() => endSession(this.#session, this.#fd, closeAttempts));
  }

  #checkLiveness(): void {
    const problem = this.#problem();
    if (problem !== undefined) this.#lose(problem);
    else this.#timer = this.#options.clock.after(livenessIntervalMs, () => this.#checkLiveness());
  }

  #problem(): string | undefined {
    try {
      const received = this.#session.stats().ps_recv;
      const isDeaf = this.#liveness.check(received, this.#delivered) === 'deaf';
      return isDeaf ? 'the kernel counts frames that do not arrive' : undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #lose(reason: string): void {
    this.close();
    this.#options.onLost(reason);
  }
}

function endSession(session: PcapSession, fd: number, attempts: number): void {
  if (attempts === closeAttempts) {
    session.session.read_callback = () => {};
    session.close();
    wakePacketSocket(fd);
  }
  // After the end, -2, another dispatch would read from freed memory.
  const isEnded = session.session.dispatch(session.buf, session.header) === -2;
  if (!isEnded && attempts > 1) setImmediate(() => endSession(session, fd, attempts - 1));
  else closed.push(session);
}

/** Tells a deaf capture from an idle link: deaf is when the kernel goes on counting and nothing is delivered, twice in a row. */
export class CaptureLiveness {
  #received = 0;
  #delivered = 0;
  #silentChecks = 0;

  /** Takes both counters, which only grow. */
  check(received: number, delivered: number): 'alive' | 'deaf' {
    const isSilent = received > this.#received && delivered === this.#delivered;
    this.#silentChecks = isSilent ? this.#silentChecks + 1 : 0;
    this.#received = received;
    this.#delivered = delivered;
    return this.#silentChecks >= 2 ? 'deaf' : 'alive';
  }
}
