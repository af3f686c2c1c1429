import { formatIp } from '../../address/index.ts';
import type { Logger } from '../../log.ts';
import type { KernelAnswer } from './kernel-answers.ts';
import type { NeighbourResponder, PlacedAddress } from './responder.ts';

/** Logs when the kernel of this node starts or stops answering for an address that speakers announce. */
export class KernelAnswerWarnings {
  readonly #responder: Pick<NeighbourResponder, 'kernelAnswers'>;
  readonly #log: Logger;
  #warned = new Set<string>();

  constructor(responder: Pick<NeighbourResponder, 'kernelAnswers'>, log: Logger) {
    this.#responder = responder;
    this.#log = log;
  }

  /**
   * Checks all addresses, because the kernel also answers for addresses that other nodes own. Returns the number of addresses that the
   * kernel answers for.
   */
  check(addresses: Iterable<PlacedAddress>): number {
    const answered = new Set<string>();
    for (const answer of this.#responder.kernelAnswers(addresses)) {
      const ip = formatIp(answer.address);
      answered.add(ip);
      if (this.#warned.has(ip)) continue;
      this.#log.warn(
        { ip, interface: answer.answeredOn, reason: reasonOf(answer) },
        "this node's kernel answers for the address too, whichever node owns it",
      );
    }
    for (const ip of this.#warned)
      if (!answered.has(ip)) this.#log.info({ ip }, "this node's kernel no longer answers for the address");
    this.#warned = answered;
    return answered.size;
  }
}

function reasonOf({ configuredOn, answeredOn }: KernelAnswer): string {
  return configuredOn === answeredOn
    ? `the address is configured on ${configuredOn}: remove it there`
    : `the address is configured on ${configuredOn} and arp_ignore lets the kernel answer on ${answeredOn}: set strictARP in kube-proxy, or arp_ignore=1`;
}
