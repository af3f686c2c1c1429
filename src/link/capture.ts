/**
 * Captures and injects frames on one link through libpcap: not promiscuous, in immediate mode, with a filter in the kernel.
 *
 * The `pcap` package has three traps, all handled here:
 *
 * - The descriptor of a session (an open capture of the package) may fall silent for good, without an event, when the link goes down. The
 *   layer-2 process therefore opens its captures again whenever the epoch of the link changes. A capture that delivers nothing while the
 *   kernel counts frames reports itself lost.
 * - `close()` only marks the session as closing. The session ends in a later dispatch, when it receives a frame (see packet-socket.ts).
 * - The poll handle of a session lives inside the session object and stays linked into the event loop, so a session must never be
 *   garbage collected.
 */
import pcap from 'pcap';
import type { Clock, Timer } from '../clock.ts';
import { reasonOf } from '../result.ts';
import { CaptureLiveness } from './capture-liveness.ts';
import { openingPacketSocket, wakePacketSocket } from './packet-socket.ts';

export interface CaptureOptions {
  readonly interface: string;
  /** An expression of pcap-filter(7). */
  readonly filter: string;
  readonly clock: Clock;
  /**
   * Receives each frame, in the first `length` octets of a buffer that the next frame overwrites. `ageMs` is the time since the
   * kernel took the frame in. It may be negative, because the wall clock may have been set back in between. Must not throw.
   */
  readonly onFrame: (frame: Uint8Array, length: number, ageMs: number) => void;
  /** Size of the kernel's buffer. By default it holds the frames of half a second at 20,000 frames per second. */
  readonly bufferBytes?: number;
  /** Octets of a frame that are delivered. By default enough for every valid request and solicitation. */
  readonly snapLength?: number;
  /** Called once when the capture has failed. It has closed itself by then. */
  readonly onLost: (reason: string) => void;
}

/** An open capture. */
export interface Capture {
  /** Sends a frame. Returns false when the system refused it. */
  send(frame: Buffer): boolean;
  /**
   * Delivers the frames that have arrived. Code that works for a long time calls `drain` in between, so that neighbours do not wait
   * until that work ends.
   */
  drain(): void;
  close(): void;
}

export type OpenCapture = (options: CaptureOptions) => Capture;

/** No valid request or solicitation is longer. */
const defaultSnapLength = 512;
const defaultBufferBytes = 8 * 1024 * 1024;
const livenessIntervalMs = 1000;
/** Maximum number of dispatches to end a session. The first ones may return a link error, or run before the frame of `wakePacketSocket` arrives. */
const closeAttempts = 20;
/** Holds closed sessions, so that they are never garbage collected. */
const closed: PcapSession[] = [];

/**
 * Header of a captured packet, as `pcap_session.cc` fills it from `struct pcap_pkthdr`, in the machine's byte order. The code reads the
 * fields as little-endian, because Bellman does not support s390x, the only big-endian Linux platform of Node.
 *
 *     0         4              8                 12
 *     +---------+--------------+-----------------+
 *     | seconds | microseconds | captured length |   time of arrival since the Unix epoch
 *     +---------+--------------+-----------------+
 */
const headerField = { seconds: 0, microseconds: 4, capturedLength: 8 } as const;

/** The parts of a session that are used here, including the native object that the package's typings leave out. */
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
    /** Reads all waiting packets. Then returns 0, or -1 on an error, or -2 when the session has ended. */
    dispatch(buffer: Buffer, header: Buffer): number;
  };
}

/** Opens a capture. Throws when the interface does not exist or the system refuses. */
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
    const { snapLength = defaultSnapLength } = options;
    // The package warns on the console when an interface has no IPv4 address.
    pcap.warningHandler = () => {};
    const [session, fd]: [unknown, number] = openingPacketSocket(() =>
      pcap.createSession(options.interface, {
        filter: options.filter,
        promiscuous: false,
        buffer_timeout: 0,
        buffer_size: options.bufferBytes ?? defaultBufferBytes,
        snap_length: snapLength,
      }),
    );
    this.#session = session as PcapSession;
    this.#fd = fd;
    this.#session.on('packet', ({ buf, header }) => {
      this.#delivered++;
      if (!this.#isOpen) return;
      const length = Math.min(header.readUInt32LE(headerField.capturedLength), snapLength);
      options.onFrame(buf, length, options.clock.epochMs() - arrivalMs(header));
    });
    this.#session.session.read_callback = () => this.drain();
    this.#timer = options.clock.after(livenessIntervalMs, () => this.#checkLiveness());
    if (this.#session.link_type !== 'LINKTYPE_ETHERNET') {
      this.close();
      throw new Error(
        `${options.interface} is not an Ethernet link (libpcap reports ${this.#session.link_type})`,
      );
    }
  }

  send(frame: Buffer): boolean {
    if (!this.#isOpen) return false;
    try {
      this.#session.inject(frame);
      return true;
    } catch {
      // libpcap gives no reason. Usually the link is down. Its epoch then changes, and the capture is opened again.
      return false;
    }
  }

  drain(): void {
    // The buffer holds a single frame, so a handler must finish before the next frame is read.
    if (!this.#isOpen || this.#isDraining) return;
    this.#isDraining = true;
    const { buf, header, session } = this.#session;
    const isLost = session.dispatch(buf, header) < 0;
    this.#isDraining = false;
    if (isLost) this.#lose('libpcap failed; the interface is probably down or gone');
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#timer.cancel();
    // The package's constructor schedules a dispatch for the next tick. If the session had ended by then, that dispatch would crash the
    // process.
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
      return isDeaf ? 'the kernel counts frames, but delivers none of them' : undefined;
    } catch (error) {
      return reasonOf(error);
    }
  }

  #lose(reason: string): void {
    this.close();
    this.#options.onLost(reason);
  }
}

function arrivalMs(header: Buffer): number {
  return (
    header.readUInt32LE(headerField.seconds) * 1000 + header.readUInt32LE(headerField.microseconds) / 1000
  );
}

function endSession(session: PcapSession, fd: number, attempts: number): void {
  if (attempts === closeAttempts) {
    session.session.read_callback = () => {};
    session.close();
    wakePacketSocket(fd);
  }
  // Once the session has ended, its pcap handle is NULL, and another dispatch would crash the process.
  const isEnded = session.session.dispatch(session.buf, session.header) === -2;
  if (!isEnded && attempts > 1) setImmediate(() => endSession(session, fd, attempts - 1));
  else closed.push(session);
}
