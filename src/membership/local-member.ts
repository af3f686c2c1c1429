import type { Endpoint } from './endpoint.ts';
import { leafOf } from './hash-tree.ts';
import { memberHash } from './member-table.ts';
import type { MemberState, MemberUpdate } from './packet.ts';

export interface LocalMemberOptions extends Pick<MemberUpdate, 'name' | 'incarnation' | 'metadata'> {
  /** UDP port of this member's socket. */
  readonly port: number;
}

/** This member, as it describes itself to the others. */
export class LocalMember {
  readonly name: string;
  /** The leaf of its record in the tree of hashes. */
  readonly leaf: number;
  #incarnation: number;
  /** The host is empty. The others take the address of this member from its packets, or from the list of Kubernetes. */
  readonly endpoint: Endpoint;
  #metadata: string;

  constructor({ name, port, incarnation, metadata }: LocalMemberOptions) {
    this.name = name;
    this.leaf = leafOf(name);
    this.endpoint = { host: '', port };
    this.#incarnation = incarnation;
    this.#metadata = metadata;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  get metadata(): string {
    return this.#metadata;
  }

  get hash(): number {
    return memberHash(this);
  }

  /** Changes the description and raises the incarnation, so that the other members adopt the change. */
  setMetadata(metadata: string): void {
    this.#metadata = metadata;
    this.#incarnation++;
  }

  /** Whether a statement about this member has this member's present incarnation or a greater one. */
  isCurrent({ incarnation }: MemberUpdate): boolean {
    return incarnation >= this.#incarnation;
  }

  /**
   * Whether this member must refute a statement about itself. It refutes a statement with its present incarnation that says suspect, dead or
   * left. It refutes every statement with a greater incarnation. The refutation has a still greater incarnation.
   */
  mustRefute(update: MemberUpdate): boolean {
    return update.incarnation > this.#incarnation || (this.isCurrent(update) && update.state !== 'alive');
  }

  refute(update: MemberUpdate): void {
    this.#incarnation = Math.max(this.#incarnation, update.incarnation) + 1;
  }

  as(state: MemberState): MemberUpdate {
    const { name, incarnation, endpoint, metadata } = this;
    return { kind: 'member', name, state, incarnation, endpoint, metadata };
  }
}
