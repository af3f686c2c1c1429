import type { IpAddress } from '../../address/index.ts';
import type { ClaimHistory } from './defence.ts';

/** What is counted of an address. */
export interface AddressCounts {
  /** The address in canonical text. */
  readonly text: string;
  readonly requests: number;
  readonly responses: number;
  readonly gratuitous: number;
  readonly conflicts: number;
}

/** What the responder keeps of an address; one object on all links, so that a frame finds everything by one lookup. */
export interface AddressState extends AddressCounts {
  readonly address: IpAddress;
  /** Canonical text, made once. */
  readonly text: string;
  /** Links that must answer; empty: those whose subnet holds the address. */
  interfaces: readonly string[];
  /** False while it is only probed. */
  answering: boolean;
  /** Probes under way that need its claims noticed. */
  readonly probes: Set<(mac: string, interfaceName: string) => void>;
  /** Of other hosts' claims, for rate limits. */
  claims: ClaimHistory | undefined;
  requests: number;
  responses: number;
  gratuitous: number;
  conflicts: number;
}

export function newAddressState(
  address: IpAddress,
  text: string,
  interfaces: readonly string[],
): AddressState {
  return {
    address,
    text,
    interfaces,
    answering: false,
    probes: new Set(),
    claims: undefined,
    requests: 0,
    responses: 0,
    gratuitous: 0,
    conflicts: 0,
  };
}
