import { type IpAddress, parseIp } from '../address/index.ts';
import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { FlightRecorder } from '../telemetry/flight-recorder.ts';
import type { CandidateNodes } from './address-entry.ts';
import type { FromLayer2, Sighting } from './messages.ts';
import type { OwnershipView } from './ownership/event.ts';
import type { NeighbourAnswer } from './responder/question-ports.ts';
import { Sightings } from './witness/sightings.ts';

export interface SightingRunnerOptions {
  readonly nodeName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: FlightRecorder;
  /** Sends questions on a link, and captures the answers to them and the answers that this host sends. */
  readonly ports: {
    ask(interfaceName: string, address: IpAddress): boolean;
    listen(interfaces: ReadonlySet<string>): void;
  };
  /** The nodes that may answer for an address that is held back. They may not be known yet. */
  readonly candidatesOf: (address: string) => CandidateNodes;
  readonly report: (message: FromLayer2) => void;
}

const tickMs = 200;

/** Runs the machine `Sightings`: its timer, its questions, and the reports of what it sees. */
export class SightingRunner {
  readonly #options: SightingRunnerOptions;
  readonly #sightings: Sightings;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: SightingRunnerOptions) {
    this.#options = options;
    this.#sightings = new Sightings(options.nodeName, options.candidatesOf);
  }

  watch(addresses: readonly string[]): void {
    const parsed = addresses.flatMap((text) => parseIp(text) ?? []);
    this.#sightings.watch(parsed, this.#options.clock.now());
    this.#listen();
    this.#tick();
  }

  see({ nodes }: Pick<OwnershipView, 'nodes'>): void {
    for (const sighting of this.#sightings.see(nodes)) this.#tell(sighting);
    this.#listen();
  }

  /** The interfaces of the candidates may have changed. */
  candidatesChanged(): void {
    if (this.#sightings.size > 0) this.#listen();
  }

  answered(answer: NeighbourAnswer): void {
    const sighting = this.#sightings.answered(answer, this.#options.clock.now());
    if (sighting) this.#tell(sighting);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Captures the links even while this node asks no questions, so that it sees the answers of another program on its own host. */
  #listen(): void {
    this.#options.ports.listen(this.#sightings.links());
  }

  #tick(): void {
    const { clock, ports } = this.#options;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#isStopped || this.#sightings.size === 0) return;
    const { questions, sightings } = this.#sightings.ask(clock.now());
    for (const { interface: link, address } of questions) ports.ask(link, address);
    for (const sighting of sightings) this.#tell(sighting);
    this.#timer = clock.after(tickMs, () => this.#tick());
  }

  #tell(sighting: Sighting): void {
    const { recorder, logger, report } = this.#options;
    const { address: ip, node, mac, isFirstAsker } = sighting;
    recorder.record('sightings', `watches ${this.#sightings.size} addresses`, { kind: 'sighting' }, [
      sighting,
    ]);
    if (mac === '' && isFirstAsker) logger.info({ ip }, 'no host answers for an address that is held back');
    else if (mac !== '')
      logger.info({ ip, node, mac }, 'another program answers for an address that is held back');
    report({ kind: 'sighting', ...sighting });
  }
}
