/**
 * Watches the interfaces of this host that can answer neighbours. The kernel reports each change over rtnetlink(7), so nothing is
 * polled. In a dump, the kernel lists all links and addresses. When the kernel had to drop messages, the watcher requests a new dump, and every
 * capture is reopened. If the dump fails, the watcher keeps what it knows and tries again later. When a link or an address changes during a dump,
 * the dump is interrupted. The watcher then repeats it, because it may lack even a link or an address that has not changed.
 *
 * The watcher leaves out loopback, links without ARP, point-to-point links, links that are down or have no carrier, and members of bridges,
 * bonds and similar masters, which take the frames of their members.
 *
 *     rtnetlink → splitDatagram → decodeMessage → LinkTable → links(), onChange
 */
import { getSystemErrorName } from 'node:util';
import { type Clock, systemClock, type Timer } from '../clock.ts';
import { SystemError } from '../linux/libc.ts';
import type { Guard } from '../telemetry/guard.ts';
import type { Link, LocalAddress } from './link-table.ts';
import { LinkTable } from './link-table.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import {
  decodeMessage,
  encodeDumpRequest,
  type RtnetlinkMessage,
  requestType,
  splitDatagram,
} from './rtnetlink-message.ts';

/** Difference between the first epochs (`Link.epoch`) of two successive tables. No table uses so many epochs. */
const epochsPerTable = 1_000_000_000;
/**
 * An interrupted dump is repeated. The dump with this number and later ones are accepted although they are interrupted, because each dump blocks
 * the thread.
 */
const dumpsForWhole = 5;
const dumpsAtMost = 10;
/** Time until the watcher tries again to open the watch. */
const reopenMs = 1000;

/** The links of this host as they are now. */
export interface Links {
  /** Links that can answer neighbours, sorted by name. */
  links(): readonly Link[];
  /** Every address that the kernel has, on any interface. */
  localAddresses(): readonly LocalAddress[];
  /** Sets the callback that runs after each change of either list; it replaces an earlier one. */
  onChange(callback: () => void): void;
  close(): void;
}

type RouteSocket = Pick<NetlinkSocket, 'send' | 'receive' | 'onReadable' | 'close'>;

interface WatchOptions {
  readonly clock?: Clock;
  readonly openSocket?: () => RouteSocket;
}

/** Opens the watch. All existing links are known when it returns. Throws when the system refuses a netlink socket. */
export function watchLinks(guard: Guard, options: WatchOptions = {}): Links {
  return new LinkWatcher(guard, options);
}

class LinkWatcher implements Links {
  readonly #guard: Guard;
  readonly #clock: Clock;
  readonly #openSocket: () => RouteSocket;
  /** `undefined` while the watch cannot be opened again, and after `close`. */
  #socket: RouteSocket | undefined;
  #table = new LinkTable(0);
  #tables = 0;
  #timer: Timer | undefined;
  #links: readonly Link[] = [];
  #onChange: () => void = () => {};

  constructor(guard: Guard, { clock = systemClock, openSocket = () => new NetlinkSocket() }: WatchOptions) {
    this.#guard = guard;
    this.#clock = clock;
    this.#openSocket = openSocket;
    this.#open();
  }

  links(): readonly Link[] {
    return this.#links;
  }

  localAddresses(): readonly LocalAddress[] {
    return this.#table.localAddresses();
  }

  onChange(callback: () => void): void {
    this.#onChange = callback;
  }

  close(): void {
    this.#timer?.cancel();
    this.#socket?.close();
    this.#socket = undefined;
  }

  #open(): void {
    for (let dump = 1; dump <= dumpsAtMost; dump++) {
      const socket = this.#openSocket();
      const table = new LinkTable(++this.#tables * epochsPerTable);
      try {
        const filled = this.#fill(table, socket);
        // On a node whose links never rest, an interrupted dump is better than none.
        if (filled === 'whole' || (filled === 'interrupted' && dump >= dumpsForWhole)) {
          socket.onReadable(() => this.#read());
          this.#socket = socket;
          this.#table = table;
          this.#links = table.links();
          return;
        }
      } catch (error) {
        socket.close();
        throw error;
      }
      socket.close();
    }
    // From `dumpsForWhole` on, an interrupted dump would have been accepted.
    const last = dumpsAtMost - dumpsForWhole + 1;
    throw new Error(
      `the kernel dropped messages during each of the last ${last} of ${dumpsAtMost} netlink dumps`,
    );
  }

  /** Requests everything. After an `overrun`, a change may be missing: the kernel had to drop messages. */
  #fill(table: LinkTable, socket: RouteSocket): 'whole' | 'interrupted' | 'overrun' {
    let filled = 'whole' as 'whole' | 'interrupted';
    for (const [sequence, type] of [requestType.links, requestType.addresses].entries()) {
      socket.send(encodeDumpRequest(type, sequence + 1));
      for (let isDone = false; !isDone; ) {
        const read = socket.receive(true);
        if (read.kind === 'overrun') return 'overrun';
        if (read.kind === 'empty') continue;
        for (const { isInterrupted } of splitDatagram(read.bytes)) if (isInterrupted) filled = 'interrupted';
        for (const message of this.#decode(read.bytes)) {
          table.apply(message);
          if (message.kind === 'error')
            throw new SystemError('netlink dump', getSystemErrorName(-message.errno));
          if (message.kind === 'done') isDone = true;
        }
      }
    }
    return filled;
  }

  #read(): void {
    // An exception counts as an overrun, because messages may be lost.
    let found = 'overrun' as 'overrun' | 'changes' | 'nothing';
    this.#guard.run({ entrance: 'frame', source: 'rtnetlink' }, () => {
      found = this.#receive();
    });
    if (found === 'overrun') return this.#reopen();
    if (found === 'nothing') return;
    this.#links = this.#table.links();
    this.#onChange();
  }

  #receive(): 'overrun' | 'changes' | 'nothing' {
    let isChanged = false;
    for (;;) {
      const read = this.#socket?.receive(false);
      if (read?.kind === 'overrun') return 'overrun';
      if (read?.kind !== 'datagram') return isChanged ? 'changes' : 'nothing';
      for (const message of this.#decode(read.bytes)) if (this.#table.apply(message)) isChanged = true;
    }
  }

  #reopen(): void {
    this.#socket?.close();
    this.#socket = undefined;
    const isOpen = this.#guard.run({ entrance: 'frame', source: 'rtnetlink' }, () => this.#open());
    if (isOpen) this.#onChange();
    else this.#timer = this.#clock.after(reopenMs, () => this.#reopen());
  }

  /** Decodes a datagram. A message that raises an exception is left out. */
  *#decode(datagram: Uint8Array): Generator<RtnetlinkMessage> {
    for (const raw of splitDatagram(datagram)) {
      let message: RtnetlinkMessage | undefined;
      this.#guard.run({ entrance: 'frame', source: 'rtnetlink', octets: raw.body }, () => {
        message = decodeMessage(raw);
      });
      if (message) yield message;
    }
  }
}
