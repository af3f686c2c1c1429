import { formatIp, type IpAddress } from '../address/index.ts';
import { solicitedNodeGroup } from './packet.ts';

/** Membership of IPv6 groups on interfaces. */
export interface GroupSocket {
  /** Returns false when the system refused. */
  join(group: Uint8Array, interfaceIndex: number): boolean;
  leave(group: Uint8Array, interfaceIndex: number): void;
  close(): void;
}

/**
 * The solicited-node groups of one link (RFC 4291 section 2.7.1). Addresses with the same last 24 bits share a group. Adding the first
 * of these addresses joins the group, and removing the last one leaves it.
 */
export class SolicitedNodeGroups {
  readonly #socket: GroupSocket;
  readonly #interfaceIndex: number;
  /** Addresses of each group, by the last 24 bits. */
  readonly #users = new Map<number, Set<string>>();

  constructor(socket: GroupSocket, interfaceIndex: number) {
    this.#socket = socket;
    this.#interfaceIndex = interfaceIndex;
  }

  /** Adds the address to its group. Returns false, and adds nothing, when the group cannot be joined. */
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

  /** Leaves all groups. This also releases memberships that the kernel keeps for an interface that is gone. */
  clear(): void {
    for (const key of this.#users.keys())
      this.#socket.leave(solicitedNodeGroup({ family: 6, value: BigInt(key) }), this.#interfaceIndex);
    this.#users.clear();
  }
}

function groupKey(address: IpAddress): number {
  return Number(address.value & 0xff_ffffn);
}
