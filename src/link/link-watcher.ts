/**
 * Links: the interfaces of this host that can answer neighbours, followed as they change. The kernel tells each change over
 * rtnetlink, so nothing is polled; when it had to drop messages, everything is asked for anew and every capture reopened.
 *
 * Left out: loopback, links without ARP, point-to-point links, links that are down or have no carrier, and members of bridges
 * and bonds, whose frames belong to the master.
 *
 *     rtnetlink → decodeMessages → LinkTable → links(), onChange
 */
import type { Link, LocalAddress } from './link-table.ts';
import { LinkTable } from './link-table.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import { decodeMessages, encodeDumpRequest, requestType } from './rtnetlink-message.ts';

/** Epochs of one table stay below those of the next. */
const epochsPerTable = 1_000_000;

/** The links of this host as they are now. */
export interface Links {
  /** Those that can answer neighbours, by name. */
  links(): readonly Link[];
  /** Every address that the kernel has, on whatever interface. */
  localAddresses(): readonly LocalAddress[];
  /** Called after each change of either; replaces an earlier callback. */
  onChange(callback: () => void): void;
  close(): void;
}

/** Opens the watch; all that exists is known when it returns. Throws when the system refuses a netlink socket. */
export function watchLinks(): Links {
  return new LinkWatcher();
}

class LinkWatcher implements Links {
  #socket: NetlinkSocket;
  #table: LinkTable;
  #tables = 0;
  #links: readonly Link[] = [];
  #changed: () => void = () => {};

  constructor() {
    [this.#socket, this.#table] = this.#open();
  }

  links(): readonly Link[] {
    return this.#links;
  }

  localAddresses(): readonly LocalAddress[] {
    return this.#table.localAddresses();
  }

  onChange(callback: () => void): void {
    this.#changed = callback;
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
        for (const message of decodeMessages(read.bytes)) {
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
      for (const message of decodeMessages(read.bytes)) if (this.#table.apply(message)) isChanged = true;
    }
    if (!isChanged) return;
    this.#links = this.#table.links();
    this.#changed();
  }
}
