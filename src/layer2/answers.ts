/**
 * `Answers` keeps the addresses that this node answers for. An answer action takes effect at once, or after a probe has found no other host
 * that uses the address. During the probe, and while the address is in conflict, the node owns the address but does not answer for it.
 * The speaker process receives a report of each change.
 *
 *     action ──→ announced ──→ stopped
 *       │         ↑ free   │ yields
 *       └──→ probe ──→ in conflict, probed again every 10 s
 */
import { formatIp, type IpAddress, parseIp } from '../address/index.ts';
import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type AddressEntry, interfacesOf } from './address-entry.ts';
import type { Announcing, FromLayer2 } from './messages.ts';
import type { AdjustAction, AnswerAction, SilenceAction } from './ownership/event.ts';
import type { Ownership } from './ownership/ownership.ts';
import type { Conflict } from './responder/conflicts.ts';
import type { NeighbourResponder } from './responder/responder.ts';

export interface AnswersOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly report: (message: FromLayer2) => void;
  readonly responder: Pick<NeighbourResponder, 'add' | 'remove' | 'announce' | 'probe' | 'carriers'>;
  readonly ownership: Pick<Ownership, 'entry' | 'isAnswering'>;
  readonly nodeName: string;
  /** Called when a probe of an owned address ends, and when this node yields an address to another host. */
  readonly onConflictState: (address: string, inConflict: boolean) => void;
}

/** Why this node starts answering for an address, for the log. */
interface Takeover {
  readonly reason: string;
  readonly from?: string;
}

interface WaitingProbe {
  readonly address: IpAddress;
  readonly takeover: Takeover;
}

const firstTakeover: Takeover = { reason: 'first' };
const reprobeMs = 10_000;
/** Maximum number of probes under way, so that a new pool does not flood the link. */
const maxProbes = 250;

export class Answers {
  readonly #options: AnswersOptions;
  readonly #announced = new Map<string, Announcing>();
  /** When this node began to answer for each address. */
  readonly #sinceMs = new Map<string, number>();
  /** Owned addresses for which this node does not answer, because another host uses them. */
  readonly #inConflict = new Set<string>();
  /** The next probes of owned addresses that another host uses. */
  readonly #reprobes = new Map<string, Timer>();
  /** Probes that wait until other probes end. Thousands may wait, so each keeps only two references. */
  readonly #waiting: WaitingProbe[] = [];
  #probing = 0;
  #isEnding = false;

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /** Number of addresses that this node answers for. */
  get count(): number {
    return this.#announced.size;
  }

  /** The addresses that this node answers for, each with the time at which it began to. */
  get sinceMs(): ReadonlyMap<string, number> {
    return this.#sinceMs;
  }

  /** Prevents the node from answering for an address that is being probed or waits for a probe. */
  end(): void {
    this.#isEnding = true;
  }

  answer({ entry, address, reason, from, mustProbe }: AnswerAction): void {
    const takeover = from === '' ? firstTakeover : { reason, from };
    if (mustProbe) this.#answerWhenFree(address, takeover);
    else this.#begin(entry, address, takeover);
  }

  adjust({ entry, address, mustAnnounce }: AdjustAction): void {
    const { responder } = this.#options;
    const announced = this.#announced.get(entry.address);
    if (!announced) return;
    responder.add(address, this.#interfacesOf(entry));
    if (mustAnnounce) responder.announce(address);
    this.#updateLinks(announced);
  }

  silence({ address, reason }: SilenceAction): void {
    const text = formatIp(address);
    this.#options.responder.remove(address);
    const wasInConflict = this.#inConflict.delete(text);
    this.#cancelReprobe(text);
    this.#sinceMs.delete(text);
    const wasAnnounced = this.#announced.delete(text);
    if (wasAnnounced) this.#options.logger.info({ ip: text, reason }, 'stopped answering');
    if (!wasAnnounced && !wasInConflict) return;
    this.#options.report({ kind: 'announcing', started: [], stopped: [text] });
  }

  /** Announces again the answered addresses that `isMeant` selects. */
  announceAgain(isMeant: (address: string) => boolean): void {
    for (const text of this.#announced.keys()) {
      const address = isMeant(text) ? parseIp(text) : undefined;
      if (address) this.#options.responder.announce(address);
    }
  }

  /** Reports the addresses that have moved to other links. Call it after links have changed. */
  linksChanged(): void {
    for (const announced of this.#announced.values()) this.#updateLinks(announced);
  }

  /** Handles a conflict that the responder has observed. */
  conflict({ address, mac, interface: link, action, isSpeaker }: Conflict): void {
    // The claims settle conflicts between speakers, and each handover looks like a conflict for a moment.
    if (isSpeaker) return;
    const text = formatIp(address);
    const { report, ownership } = this.#options;
    const hasYielded = action === 'yielded' && this.#announced.delete(text);
    if (hasYielded) this.#sinceMs.delete(text);
    if (hasYielded) report({ kind: 'announcing', started: [], stopped: [text] });
    report({ kind: 'conflict', address: text, mac, interface: link, action });
    if (!hasYielded) return;
    this.#enterConflict(text);
    if (ownership.entry(text)) this.#probeLater(address, firstTakeover);
  }

  /** Probes first, because another host may use the address (RFC 5227 section 2.1, RFC 4862 section 5.4). */
  #answerWhenFree(address: IpAddress, takeover: Takeover): void {
    this.#waiting.push({ address, takeover });
    this.#probeNext();
  }

  #probeNext(): void {
    while (this.#probing < maxProbes) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#probing++;
      void this.#probe(next).finally(() => {
        this.#probing--;
        this.#probeNext();
      });
    }
  }

  async #probe({ address, takeover }: WaitingProbe): Promise<void> {
    const { responder, onConflictState } = this.#options;
    const text = formatIp(address);
    const entry = this.#unansweredEntry(text);
    if (!entry) return;
    const outcome = await responder.probe(address, this.#interfacesOf(entry));
    const current = this.#unansweredEntry(text);
    if (!current) return;
    if (outcome.kind === 'no-link' && this.#inConflict.has(text)) {
      // Nothing shows that the other host has gone.
      this.#probeLater(address, takeover);
      return;
    }
    if (outcome.kind !== 'in-use') {
      this.#begin(current, address, takeover);
      onConflictState(text, false);
      return;
    }
    const { mac, interface: link } = outcome;
    this.#options.logger.warn(
      { ip: text, mac, interface: link },
      'not answering: another host uses the address',
    );
    this.#options.report({ kind: 'conflict', address: text, mac, interface: link, action: 'waiting' });
    this.#enterConflict(text);
    this.#probeLater(address, takeover);
  }

  /** Returns the entry of an address that this node should answer for but does not answer for yet. */
  #unansweredEntry(text: string): AddressEntry | undefined {
    const { ownership } = this.#options;
    if (this.#isEnding || this.#announced.has(text) || !ownership.isAnswering(text)) return undefined;
    return ownership.entry(text);
  }

  #enterConflict(text: string): void {
    this.#inConflict.add(text);
    this.#options.onConflictState(text, true);
  }

  #probeLater(address: IpAddress, takeover: Takeover): void {
    const text = formatIp(address);
    this.#cancelReprobe(text);
    const timer = this.#options.clock.after(reprobeMs, () => {
      this.#reprobes.delete(text);
      this.#answerWhenFree(address, takeover);
    });
    this.#reprobes.set(text, timer);
  }

  #cancelReprobe(text: string): void {
    this.#reprobes.get(text)?.cancel();
    this.#reprobes.delete(text);
  }

  #begin(entry: AddressEntry, address: IpAddress, takeover: Takeover): void {
    const { responder, clock, logger, report } = this.#options;
    responder.add(address, this.#interfacesOf(entry));
    const interfaces = responder.carriers(address, this.#interfacesOf(entry));
    const since = new Date(clock.epochMs()).toISOString();
    const announced = { address: entry.address, interfaces, since };
    this.#announced.set(entry.address, announced);
    this.#sinceMs.set(entry.address, clock.now());
    this.#inConflict.delete(entry.address);
    logger.info({ ip: entry.address, interface: interfaces.join(','), ...takeover }, 'answering');
    report({ kind: 'announcing', started: [announced], stopped: [] });
  }

  #updateLinks({ address: text, interfaces: before, since }: Announcing): void {
    const entry = this.#options.ownership.entry(text);
    const address = parseIp(text);
    if (!entry || !address) return;
    const interfaces = this.#options.responder.carriers(address, this.#interfacesOf(entry));
    // An address that no link carries any longer is about to go to another node, so no move is reported.
    if (interfaces.length === 0 || interfaces.join() === before.join()) return;
    const announced = { address: text, interfaces, since };
    this.#announced.set(text, announced);
    this.#options.logger.info(
      { ip: text, interface: interfaces.join(','), before: before.join(',') },
      'moved to another link',
    );
    this.#options.report({ kind: 'announcing', started: [announced], stopped: [] });
  }

  #interfacesOf(entry: AddressEntry): readonly string[] {
    return interfacesOf(entry, this.#options.nodeName);
  }
}
