import type { IpAddress } from '../../address/index.ts';
import type { ConflictHistory } from './defence.ts';

/** Counters of one address since it was added. */
export interface AddressCounts {
  /** The address in canonical text. */
  readonly text: string;
  readonly requests: number;
  readonly responses: number;
  readonly gratuitous: number;
  readonly conflicts: number;
}

export type ProbeListener = (mac: string, interfaceName: string) => void;

/** Thousands of addresses share this list, because a list or a Set of its own would cost each address 150 octets. */
const noProbes: readonly ProbeListener[] = [];

/** State of one address. All links share the object, so a frame finds everything with one lookup. */
export interface AddressState extends AddressCounts {
  readonly address: IpAddress;
  /** Names of the links that must answer. An empty list means every link whose subnet holds the address. */
  interfaces: readonly string[];
  /** False while the address is only probed or on trial. */
  answering: boolean;
  /** Whether other speakers get answers although `answering` is false. */
  isOnTrial: boolean;
  /** Listeners of running probes. Each conflicting packet of a host that is not a speaker is passed to them. */
  probes: readonly ProbeListener[];
  /** Recent conflicts, for rate limits. */
  conflictHistory: ConflictHistory | undefined;
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
    isOnTrial: false,
    probes: noProbes,
    conflictHistory: undefined,
    requests: 0,
    responses: 0,
    gratuitous: 0,
    conflicts: 0,
  };
}
