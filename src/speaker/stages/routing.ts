import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Bfd, createBfd } from '../../bfd/parent.ts';
import type { BfdSessionSettings } from '../../bfd/session-settings.ts';
import {
  type BgpSpeaker,
  createBgpSpeaker,
  type SessionSuccession,
  type StopMode,
  warmUp,
} from '../../bgp/index.ts';
import { createLogger } from '../../log.ts';
import { PredecessorRunner } from '../../succession/predecessor-runner.ts';
import { connectToPredecessor, type Successor } from '../../succession/successor-runner.ts';
import { BfdDowns, registerBfdMetrics } from '../bfd/bfd-metrics.ts';
import { BfdReports } from '../bfd/bfd-reports.ts';
import { sendLinkHints } from '../link-hints.ts';
import type { NodeSpeaker } from '../node-speaker.ts';
import type { BfdSink } from '../peers/peer-output.ts';
import { SessionEvents } from '../peers/session-events.ts';
import { markRestart } from '../restart-mark.ts';
import type { Foundation } from './foundation.ts';

/** Time from the first peers to the warm-up of the code that sends routes. The first sessions should have sent their own routes by then. */
const warmUpAfterMs = 5000;

/** BGP and BFD: their sessions, the reports about them, and the succession of both. */
export class Routing implements BfdSink {
  readonly bgp: BgpSpeaker & SessionSuccession;
  readonly bfd: Bfd;
  readonly #foundation: Foundation;
  readonly #bfdReports: BfdReports;
  readonly #linkHints: { close(): void };
  readonly #predecessor: PredecessorRunner;

  /** `speaker` is not called before a session reports or an interface of the node changes. */
  constructor(foundation: Foundation, speaker: () => NodeSpeaker) {
    this.#foundation = foundation;
    const { options, clock, registry, diagnostics, events } = foundation;
    const { nodeName, logger, logLevel, stateDirectory } = options;
    const node = () => speaker().node(nodeName);
    const sessionEvents = new SessionEvents({ events, node });
    this.bgp = createBgpSpeaker({
      logger: createLogger('bgp', logLevel),
      registry,
      hostName: hostname(),
      // In an adoption, the node already forwards packets for the other program, so its forwarding state is there.
      restarting: markRestart(stateDirectory, nodeName) || options.adoptOnly,
      afterFirstPeers: () => clock.after(warmUpAfterMs, () => void warmUp(clock)),
      onInterfacesChanged: () => speaker().interfacesChanged(),
      onSessionChange: (change) => sessionEvents.handle(change),
      ...diagnostics,
    });
    this.#linkHints = sendLinkHints(this.bgp, diagnostics.guard, logger);
    this.bfd = createBfd({
      logLevel,
      logger: createLogger('bfd', logLevel),
      successionPath: join(stateDirectory, `${nodeName}.bfd-succession`),
      onChange: (change) => this.#bfdReports.handle(change),
    });
    const downs = new BfdDowns();
    registerBfdMetrics(registry, this.bfd, downs);
    const peersOf = (session: string) => speaker().peersOfBfdSession(session);
    this.#bfdReports = new BfdReports({ bgp: this.bgp, events, downs, peersOf, node });
    this.#predecessor = new PredecessorRunner({
      ...{ path: this.#successionPath, clock, logger, ...diagnostics },
      offer: () => this.bgp.offer(),
    });
  }

  setSessions(sessions: readonly BfdSessionSettings[], joined: readonly string[]): void {
    this.#bfdReports.configured(sessions, joined);
    this.bfd.setSessions(sessions);
  }

  /** Connects to the speaker that serves this node, if there is one, to take its sessions over. */
  connectToPredecessor(): Successor | undefined {
    const { options, diagnostics } = this.#foundation;
    return connectToPredecessor({
      ...{ path: this.#successionPath, logger: options.logger, ...diagnostics },
      check: (items) => this.bgp.inherit(items),
      discard: () => this.bgp.disinherit(),
    });
  }

  /** From now on, another speaker can take the sessions over. */
  listenForSuccessor(): void {
    this.#predecessor.listen();
  }

  /** Ends the notifications about links and addresses of the node. */
  closeLinkHints(): void {
    this.#linkHints.close();
  }

  /** Passes the sessions on to a speaker that waits for them, or ends them. */
  async stop(mode: () => StopMode): Promise<void> {
    const { nodeName, logger } = this.#foundation.options;
    const outcome = await this.#predecessor.stop();
    if (outcome === 'passed') {
      logger.info({ node: nodeName }, 'another speaker has taken the sessions over');
      await this.bfd.passOn();
    } else await this.bgp.stop(mode());
    // BFD ends after BGP. If it ended first, peers that take AdminDown for a failure would drop routes that they could keep.
    await this.bfd.stop();
  }

  get #successionPath(): string {
    const { nodeName, stateDirectory } = this.#foundation.options;
    return join(stateDirectory, `${nodeName}.succession`);
  }
}
