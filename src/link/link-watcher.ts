/**
 * Watches the interfaces of this host that can answer neighbours. The kernel reports each change over rtnetlink(7), so nothing is
 * polled. When the kernel had to drop messages, the watcher requests everything again, and every capture is reopened.
 *
 * It leaves out loopback, links without ARP, point-to-point links, links that are down or have no carrier, and members of bridges,
 * bonds and similar masters, which take the frames of their members.
 *
 *     rtnetlink → splitDatagram → decodeMessage → LinkTable → links(), onChange
 */
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

/** Difference between the first epochs of two tables. No link's epoch increases this often. */
const epochsPerTable = 1_000_000;

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

/** Opens the watch. All existing links are known when it returns. Throws when the system refuses a netlink socket. */
export function watchLinks(guard: Guard): Links {
  return new LinkWatcher(guard);
}

class LinkWatcher implements Links {
  readonly #guard: Guard;
  #socket: NetlinkSocket;
  #table: LinkTable;
  #tables = 0;
  #links: readonly Link[] = [];
  #onChange: () => void = () => {};

  constructor(guard: Guard) {
    this.#guard = guard;
    [this.#socket, this.#table] = this.#open();
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
    this.#socket.close();
  }

  #open(): [NetlinkSocket, LinkTable] {
    const socket = new NetlinkSocket();
    const table = new LinkTable(++this.#tables * epochsPerTable);
    for (const [sequence, type] of [requestType.links, requestType.addresses].entries()) {
      socket.send(encodeDumpRequest(type, sequence + 1));
      for (let isDone = false; !isDone; ) {
        const read = socket.receive(true);
        if (read.kind !== 'datagram') continue;
        for (const message of this.#decode(read.bytes)) {
          table.apply(message);
          if (message.kind === 'error') throw new Error(`netlink dump refused, errno ${message.errno}`);
          if (message.kind === 'done') isDone = true;
        }
      }
    }
    socket.onReadable(() => this.#read());
    this.#links = table.links();
    return [socket, table];
  }

  #read(): void {
    let isChanged = false;
    for (;;) {
      const read = this.#socket.receive(false);
      if (read.kind === 'empty') break;
      if (read.kind === 'overrun') {
        this.#socket.close();
        [this.#socket, this.#table] = this.#open();
        isChanged = true;
        break;
      }
      for (const message of this.#decode(read.bytes)) if (this.#table.apply(message)) isChanged = true;
    }
    if (!isChanged) return;
    this.#links = this.#table.links();
    this.#onChange();
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
