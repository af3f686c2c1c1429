/**
 * What this node answers for. An order to answer becomes an answer at once, or when a probe has shown that no other host has the
 * address; until then, and while one has it, the node owns it in silence. The Kubernetes side is told of every change.
 *
 *     order ──→ begin ──→ announced ──→ silence
 *       │         ↑ free      │ yields
 *       └──→ probe ──────→ occupied, probed again
 */
import { formatIp, type IpAddress, parseIp } from '../address/index.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { AddressEntry } from './address-entry.ts';
import { interfacesOf } from './address-entry.ts';
import type { Announcing, FromLayer2 } from './messages.ts';
import type { Order, Ownership } from './ownership/ownership.ts';
import type { Conflict } from './responder/conflicts.ts';
import type { NeighbourResponder } from './responder/responder.ts';

export interface AnswersOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly report: (message: FromLayer2) => void;
  readonly responder: Pick<NeighbourResponder, 'add' | 'remove' | 'announce' | 'probe' | 'carriers'>;
  readonly ownership: Pick<Ownership, 'entry' | 'isAnswering'>;
  readonly nodeName: string;
  /** Whether another host uses an address that this node owns. */
  readonly occupied: (address: string, inConflict: boolean) => void;
}

/** Why an address is answered from now on, for the log. */
interface Takeover {
  readonly reason: string;
  readonly from?: string;
}

const firstTakeover: Takeover = { reason: 'first' };

/** How often an address that somebody else uses is looked at again. */
const reprobeMs = 10_000;
/** Further probes wait, so that a new pool's addresses are not asked for in one blast. */
const concurrentProbes = 250;

export class Answers {
  readonly #options: AnswersOptions;
  readonly #announced = new Map<string, Announcing>();
  /** Owned, and used by another host. */
  readonly #occupied = new Set<string>();
  /** Addresses that wait for their probe. */
  readonly #unprobed: { readonly address: IpAddress; readonly why: Takeover }[] = [];
  #probing = 0;
  #isEnding = false;

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /** How many addresses are answered. */
  get count(): number {
    return this.#announced.size;
  }

  /** No address is begun any more. */
  end(): void {
    this.#isEnding = true;
  }

  answer({ entry, address, reason, from, mustProbe }: Extract<Order, { kind: 'answer' }>): void {
    const why = from === '' ? firstTakeover : { reason, from };
    if (mustProbe) this.#answerWhenFree(address, why);
    else this.#begin(entry, address, why);
  }

  /** Nobody of us has answered for it: somebody else may use it (RFC 5227, RFC 4862). */
  #answerWhenFree(address: IpAddress, why: Takeover): void {
    this.#unprobed.push({ address, why });
    this.#probeNext();
  }

  /** Of thousands that wait next to nothing is kept: what a probe keeps, all at once, has cost pauses of the collector. */
  #probeNext(): void {
    while (this.#probing < concurrentProbes) {
      const next = this.#unprobed.shift();
      if (!next) return;
      this.#probing++;
      void this.#probe(next.address, next.why).finally(() => {
        this.#probing--;
        this.#probeNext();
      });
    }
  }

  async #probe(address: IpAddress, why: Takeover): Promise<void> {
    const text = formatIp(address);
    const { responder, logger, report, occupied } = this.#options;
    const entry = this.#awaited(text);
    if (!entry) return;
    const outcome = await responder.probe(address, this.#linksOf(entry));
    const current = this.#awaited(text);
    if (!current) return;
    if (outcome.kind !== 'in-use') {
      this.#begin(current, address, why);
      occupied(text, false);
      return;
    }
    const { mac, interface: link } = outcome;
    logger.warn({ ip: text, mac, interface: link }, 'the address is in use by another host: not answering');
    report({ kind: 'conflict', address: text, mac, interface: link, action: 'waiting' });
    this.#occupy(text);
    this.#retry(address, why);
  }

  /** The entry of an address that is to be answered, and is not yet. */
  #awaited(text: string): AddressEntry | undefined {
    const { ownership } = this.#options;
    if (this.#isEnding || this.#announced.has(text) || !ownership.isAnswering(text)) return undefined;
    return ownership.entry(text);
  }

  #linksOf(entry: AddressEntry): readonly string[] {
    return interfacesOf(entry, this.#options.nodeName);
  }

  #occupy(text: string): void {
    this.#occupied.add(text);
    this.#options.occupied(text, true);
  }

  /** Looks later whether an address that another host uses has become free. */
  #retry(address: IpAddress, why: Takeover): void {
    this.#options.clock.after(reprobeMs, () => this.#answerWhenFree(address, why));
  }

  #begin(entry: AddressEntry, address: IpAddress, why: Takeover): void {
    const { logger, report } = this.#options;
    this.#options.responder.add(address, this.#linksOf(entry));
    const interfaces = this.#options.responder.carriers(address, this.#linksOf(entry));
    const announced = { address: entry.address, interfaces, since: new Date().toISOString() };
    this.#announced.set(entry.address, announced);
    this.#occupied.delete(entry.address);
    logger.info({ ip: entry.address, interface: interfaces.join(','), ...why }, 'answering');
    report({ kind: 'announcing', started: [announced], stopped: [] });
  }

  adjust({ entry, address }: Extract<Order, { kind: 'adjust' }>): void {
    const announced = this.#announced.get(entry.address);
    if (!announced) return;
    this.#options.responder.add(address, this.#linksOf(entry));
    this.#follow(announced);
  }

  /** Announces those of the addresses that are answered again. */
  announceAgain(isMeant: (address: string) => boolean): void {
    for (const text of this.#announced.keys()) {
      const address = isMeant(text) ? parseIp(text) : undefined;
      if (address) this.#options.responder.announce(address);
    }
  }

  /** Links have changed: tells of addresses that go on on others. */
  linksChanged(): void {
    for (const announced of this.#announced.values()) this.#follow(announced);
  }

  #follow({ address: text, interfaces: before, since }: Announcing): void {
    const entry = this.#options.ownership.entry(text);
    const address = parseIp(text);
    if (!entry || !address) return;
    const interfaces = this.#options.responder.carriers(address, this.#linksOf(entry));
    // Without a link it is another node's soon.
    if (interfaces.length === 0 || interfaces.join() === before.join()) return;
    const announced = { address: text, interfaces, since };
    this.#announced.set(text, announced);
    this.#options.logger.info(
      { ip: text, interface: interfaces.join(','), before: before.join(',') },
      'moved',
    );
    this.#options.report({ kind: 'announcing', started: [announced], stopped: [] });
  }

  silence(address: IpAddress, reason: string): void {
    const text = formatIp(address);
    this.#options.responder.remove(address);
    const wasOccupied = this.#occupied.delete(text);
    if (!this.#announced.delete(text) && !wasOccupied) return;
    this.#options.logger.info({ ip: text, reason }, 'silent');
    this.#options.report({ kind: 'announcing', started: [], stopped: [text] });
  }

  conflict({ address, mac, interface: link, action, isSpeaker }: Conflict): void {
    // Between speakers the claims decide, and a handover always shows both for a moment.
    if (isSpeaker) return;
    const text = formatIp(address);
    const { report } = this.#options;
    const hasYielded = action === 'yielded' && this.#announced.delete(text);
    if (hasYielded) report({ kind: 'announcing', started: [], stopped: [text] });
    report({ kind: 'conflict', address: text, mac, interface: link, action });
    if (!hasYielded) return;
    this.#occupy(text);
    if (this.#options.ownership.entry(text)) this.#retry(address, firstTakeover);
  }
}
