import { AdoptionReport } from '../adoption/adoption-report.ts';
import type { AdoptionState } from '../adoption/adoption-state.ts';
import { OtherSessions } from '../adoption/other-sessions.ts';
import type { NodeSpeaker } from '../node-speaker.ts';
import type { Foundation } from './foundation.ts';
import type { Layer2Side } from './layer2.ts';

/** The parts of a speaker with `--adopt-only` that report the addresses held back and look for the sessions of the other program. */
export class Adoption {
  readonly report: AdoptionReport;
  readonly #isUsed: boolean;
  readonly #otherSessions: OtherSessions;

  /** `speaker` is not called before `start`. */
  constructor(
    { options, clock }: Foundation,
    { process: layer2, firstOwners }: Layer2Side,
    speaker: () => NodeSpeaker,
  ) {
    const { nodeName, logger, adoptOnly } = options;
    this.#isUsed = adoptOnly;
    this.report = new AdoptionReport({ nodeName, logger, firstOwners, layer2 });
    this.#otherSessions = new OtherSessions({
      clock,
      adoption: () => speaker().adoption?.bgp ?? 'live',
      peers: () => speaker().configuredPeers,
      found: (peers) => speaker().setOtherSessions(peers),
    });
  }

  update(state: AdoptionState): void {
    this.report.update(state);
    if (state.bgp === 'waiting') this.#otherSessions.hurry();
  }

  start(): void {
    if (this.#isUsed) this.#otherSessions.start();
  }

  stop(): void {
    this.#otherSessions.stop();
  }
}
