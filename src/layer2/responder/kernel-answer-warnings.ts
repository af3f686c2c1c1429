import { formatIp, type IpAddress } from '../../address/index.ts';
import type { Logger } from '../../log.ts';
import type { KernelAnswer } from './kernel-answers.ts';

/** What has to be known of the responder. */
interface KernelAnswerSource {
  kernelAnswers(
    addresses: Iterable<{ address: IpAddress; interfaces: readonly string[] }>,
  ): readonly KernelAnswer[];
}

/** Warns that the kernel of this node answers beside the speakers, and tells when it has stopped; on change only. */
export class KernelAnswerWarnings {
  readonly #source: KernelAnswerSource;
  readonly #log: Logger;
  #warned = new Set<string>();

  constructor(source: KernelAnswerSource, log: Logger) {
    this.#source = source;
    this.#log = log;
  }

  /** Looks at all addresses that any node may own, since a kernel answers without owning; how many it answers for. */
  look(addresses: Iterable<{ address: IpAddress; interfaces: readonly string[] }>): number {
    const now = new Set<string>();
    for (const { address, configuredOn, answeredOn } of this.#source.kernelAnswers(addresses)) {
      const ip = formatIp(address);
      now.add(ip);
      if (this.#warned.has(ip)) continue;
      this.#log.warn(
        {
          ip,
          interface: answeredOn,
          reason:
            configuredOn === answeredOn
              ? `the address is configured on ${configuredOn}: remove it there`
              : `the address is also on ${configuredOn}, and arp_ignore is 0: set strictARP in kube-proxy, or arp_ignore=1`,
        },
        'the kernel of this node answers for the address, whichever node owns it',
      );
    }
    for (const ip of this.#warned)
      if (!now.has(ip)) this.#log.info({ ip }, 'the kernel of this node no longer answers for the address');
    this.#warned = now;
    return now.size;
  }
}
