import type { IpAddress } from '../../address/index.ts';
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../log.ts';
import type { AddressState } from './address-state.ts';
import { type ConflictAction, type DefencePolicy, decideDefence } from './defence.ts';
import type { LinkPort } from './link-port.ts';

/** Another host uses an address that this node answers for. */
export interface Conflict {
  readonly address: IpAddress;
  /** Lower case, colon separated. */
  readonly mac: string;
  readonly interface: string;
  readonly action: ConflictAction;
  /**
   * Whether the other host runs a speaker. If so, a handover is under way, two nodes believe that they own the address, or another program on that
   * host answers during an adoption.
   */
  readonly isSpeaker: boolean;
}

export interface ConflictHandlerOptions {
  readonly log: Logger;
  readonly clock: Clock;
  readonly policy: DefencePolicy;
  /** Whether the MAC, lower case and colon separated, belongs to a link of this node. */
  readonly isOwnMac: (mac: string) => boolean;
  /** Stops answering for the address. */
  readonly yieldAddress: (address: IpAddress) => void;
  /** Called on a new conflict, and every ten seconds while it lasts. */
  readonly onConflict: (conflict: Conflict) => void;
}

/** Reacts to packets in which another host uses an address of ours: counts, defends or yields, and reports. */
export class ConflictHandler {
  readonly #options: ConflictHandlerOptions;
  /** MACs of the other speakers. */
  #speakers: ReadonlySet<string> = new Set();

  constructor(options: ConflictHandlerOptions) {
    this.#options = options;
  }

  setSpeakerMacs(macs: ReadonlySet<string>): void {
    this.#speakers = macs;
  }

  /** Whether the MAC, lower case and colon separated, belongs to another speaker. */
  isSpeaker(mac: string): boolean {
    return this.#speakers.has(mac);
  }

  handle(state: AddressState, mac: string, port: LinkPort): void {
    // Two links of this node may be on one segment. Each then hears the probes and announcements of the other.
    if (this.#options.isOwnMac(mac)) return;
    const interfaceName = port.link.name;
    const isSpeaker = this.#speakers.has(mac);
    // Probes look for hosts outside the membership. The ownership claims settle conflicts between speakers.
    if (!isSpeaker) for (const notifyProbe of state.probes) notifyProbe(mac, interfaceName);
    if (!state.answering) return;
    state.conflicts++;
    const { clock, policy, log } = this.#options;
    const decision = decideDefence(state.conflictHistory, { mac, isSpeaker, policy }, clock.now());
    const { action } = decision;
    state.conflictHistory = decision.history;
    if (action === 'defended') port.announce(state);
    if (action === 'yielded') this.#options.yieldAddress(state.address);
    if (!decision.report) return;
    const fields = { ip: state.text, mac, interface: interfaceName, action };
    // Each planned handover looks like a conflict for a moment.
    if (isSpeaker) log.debug(fields, 'the host of another speaker uses an address of this node');
    else log.warn(fields, 'address conflict: another host uses an address of this node');
    this.#options.onConflict({ address: state.address, mac, interface: interfaceName, action, isSpeaker });
  }
}
