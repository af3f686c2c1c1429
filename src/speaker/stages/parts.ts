import { isOnLink } from '../../bgp/index.ts';
import { loadBalancerClassMatches } from '../../cluster/service-class.ts';
import type { AdoptionState } from '../adoption/adoption-state.ts';
import { registerAnnouncedMetrics } from '../announced-metrics.ts';
import { registerDeathMetrics } from '../dead-nodes/death-metrics.ts';
import { DeathReporter } from '../dead-nodes/death-reporter.ts';
import { askByTcp } from '../dead-nodes/tcp-question.ts';
import { registerLeavingMetrics } from '../leaving/leaving-metrics.ts';
import { LeavingReport } from '../leaving/leaving-report.ts';
import { NodeSpeaker } from '../node-speaker.ts';
import { reportPeerTrouble } from '../peers/peer-trouble-report.ts';
import type { KeptService } from '../plan/kept-objects.ts';
import { Adoption } from './adoption.ts';
import type { Foundation } from './foundation.ts';
import { createLayer2Side, type Layer2Side } from './layer2.ts';
import { Routing } from './routing.ts';

/** The parts of the speaker that plan, announce and report. */
export interface SpeakerParts {
  readonly speaker: NodeSpeaker;
  readonly routing: Routing;
  readonly layer2: Layer2Side;
  readonly adoption: Adoption;
  readonly leaving: LeavingReport;
  readonly deathReporter: DeathReporter;
}

/**
 * Creates the parts and connects them. The NodeSpeaker is created after the parts that it writes to. Those parts ask the NodeSpeaker about nodes
 * and Services only when they receive a report. No report arrives before this function has returned.
 */
export function createParts(foundation: Foundation): SpeakerParts {
  const { options, clock, registry, diagnostics, turns, client, events, cluster } = foundation;
  const { nodeName, namespace, logger } = options;
  const node = () => speaker.node(nodeName);
  const isOurs = (service: KeptService) => loadBalancerClassMatches(service, options.loadBalancerClass);
  const deathReporter = new DeathReporter({
    ...{ client, namespace, clock, logger, node },
    recorder: diagnostics.recorder,
    port: options.membershipPort,
    ask: askByTcp,
  });
  registerDeathMetrics(registry, deathReporter);
  const routing = new Routing(foundation, () => speaker);
  const layer2 = createLayer2Side(foundation, { isOurs, deathReporter, speaker: () => speaker });
  const adoption = new Adoption(foundation, layer2, () => speaker);
  const leaving = new LeavingReport({ clock, events, node, logger });
  const speaker: NodeSpeaker = new NodeSpeaker({
    nodeName,
    isOurs,
    isOnLink,
    leavesWhenCordoned: options.leaveWhenCordoned,
    ignoresExcludeLabel: options.ignoreExcludeLabel,
    namespace,
    bgp: routing.bgp,
    bfd: routing,
    layer2: layer2.process,
    onPeerTrouble: (trouble) =>
      reportPeerTrouble(trouble, { configMap: { namespace, uid: cluster.accepted.uid }, events, logger }),
    onLeaving: (state) => leaving.update(state),
    ...(options.adoptOnly ? { onAdoption: (state: AdoptionState) => adoption.update(state) } : {}),
    clock,
    logger,
    guard: diagnostics.guard,
    turns,
  });
  registerLeavingMetrics(registry, nodeName, () => speaker.leavingState);
  registerAnnouncedMetrics(registry, {
    nodeName,
    sync: cluster.sync,
    speaker,
    peers: () => routing.bgp.status(),
    owned: () => layer2.reports.owned.keys(),
    inConflict: () => layer2.reports.inUse.keys(),
  });
  return { speaker, routing, layer2, adoption, leaving, deathReporter };
}
