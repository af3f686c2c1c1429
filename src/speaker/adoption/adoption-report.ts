import type { SpeakerStatusBody } from '../../cluster/status.ts';
import type { Logger } from '../../log.ts';
import type { AdoptionState, HeldForService } from './adoption-state.ts';
import type { FirstOwners } from './first-owners.ts';

export interface AdoptionReportOptions {
  readonly nodeName: string;
  readonly logger: Logger;
  readonly firstOwners: Pick<FirstOwners, 'setHeld' | 'sighting'>;
  readonly layer2: { watch(addresses: readonly string[]): void };
}

/** Says in `/status` which addresses this node holds back, and in the log how many. Lets the layer-2 process watch those of layer 2. */
export class AdoptionReport {
  readonly #options: AdoptionReportOptions;
  #logged = '';
  #watched = '';

  constructor(options: AdoptionReportOptions) {
    this.#options = options;
  }

  update(state: AdoptionState): void {
    const { firstOwners, layer2 } = this.#options;
    const held = [...state.held()];
    const inLayer2 = held.filter(({ protocol }) => protocol === 'layer2');
    const watched = [...new Set(inLayer2.map(({ address }) => address))];
    const text = watched.join();
    if (text !== this.#watched) layer2.watch(watched);
    this.#watched = text;
    // Several Services can share an address. The entry of an admitted Service takes precedence.
    const byAddress = new Map<string, HeldForService>();
    for (const each of inLayer2)
      if (!byAddress.get(each.address)?.isAdmitted) byAddress.set(each.address, each);
    firstOwners.setHeld(byAddress);
    this.#log(state, held);
  }

  /** The part of `/status` about the adoption. */
  status(state: AdoptionState): NonNullable<SpeakerStatusBody['adoption']> {
    const { nodeName, firstOwners } = this.#options;
    return {
      bgp: state.bgp,
      otherSessions: [...state.otherSessions],
      pools: state.pools === 'all' ? ['*'] : [...state.pools],
      held: [...state.held()].map(({ service, address, pool, protocol, peers, isAdmitted, mayAnswer }) => {
        const sighting = protocol === 'layer2' ? firstOwners.sighting(address) : undefined;
        return {
          ...{ service, address, pool, protocol, peers, isAdmitted },
          isCandidate: protocol === 'bgp' || mayAnswer(nodeName),
          ...(sighting ? { seenOn: sighting.node, seenMac: sighting.mac } : {}),
        };
      }),
    };
  }

  #log({ bgp, otherSessions, pools }: AdoptionState, held: readonly HeldForService[]): void {
    const count = (protocol: string) => held.filter((each) => each.protocol === protocol).length;
    const fields = {
      bgp,
      otherSessions: [...otherSessions].join(),
      admitted: pools === 'all' ? '*' : [...pools].join(),
      wouldAnnounceByBgp: count('bgp'),
      wouldAnswerInLayer2: count('layer2'),
    };
    const text = JSON.stringify(fields);
    if (text === this.#logged) return;
    this.#logged = text;
    this.#options.logger.info(fields, 'adopt-only: this node holds addresses back');
  }
}
