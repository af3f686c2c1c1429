import { formatIp, type IpAddress } from '../address/index.ts';
import { solicitedNodeGroup } from './packet.ts';

/** Joins and leaves IPv6 groups on interfaces; false when the system refused. */
export interface GroupSocket {
  join(group: Uint8Array, interfaceIndex: number): boolean;
  leave(group: Uint8Array, interfaceIndex: number): void;
  close(): void;
}

/**
 * The solicited-node groups of one link. Addresses with the same last 24 bits share a group, so they are counted: it is
 * joined for the first and left after the last.
 */
export class SolicitedNodeGroups {
  readonly #socket: GroupSocket;
  readonly #interfaceIndex: number;
  readonly #users = new Map<number, Set<string>>();

  constructor(socket: GroupSocket, interfaceIndex: number) {
    this.#socket = socket;
    this.#interfaceIndex = interfaceIndex;
  }

  /** Counts the address in; false when its group could not be joined, in which case it is not counted. */
  add(address: IpAddress): boolean {
    const key = groupKey(address);
    const users = this.#users.get(key);
    if (users) {
      users.add(formatIp(address));
      return true;
    }
    if (!this.#socket.join(solicitedNodeGroup(address), this.#interfaceIndex)) return false;
    this.#users.set(key, new Set([formatIp(address)]));
    return true;
  }

  remove(address: IpAddress): void {
    const key = groupKey(address);
    const users = this.#users.get(key);
    if (!users?.delete(formatIp(address)) || users.size > 0) return;
    this.#users.delete(key);
    this.#socket.leave(solicitedNodeGroup(address), this.#interfaceIndex);
  }

  /** Leaves all: also frees what the kernel still keeps for an interface that has gone. */
  clear(): void {
    for (const key of this.#users.keys())
      this.#socket.leave(solicitedNodeGroup({ family: 6, value: BigInt(key) }), this.#interfaceIndex);
    this.#users.clear();
  }
}

function groupKey(address: IpAddress): number {
  return Number(address.value & 0xff_ffffn);
}
