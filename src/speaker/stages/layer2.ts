import { createLayer2, type Layer2 } from '../../layer2/parent.ts';
import { createLogger } from '../../log.ts';
import { FirstOwners } from '../adoption/first-owners.ts';
import type { DeathReporter } from '../dead-nodes/death-reporter.ts';
import { Layer2Reports } from '../layer2-reports.ts';
import type { NodeSpeaker } from '../node-speaker.ts';
import type { KeptService } from '../plan/kept-objects.ts';
import { actsForDeadNode, isDeadNode, keptMembersByKubernetes } from '../record/acts-for-dead-node.ts';
import { AnnouncingReconciler } from '../record/announcing-reconciler.ts';
import { AssignmentEvents } from '../record/assignment-events.ts';
import type { Foundation } from './foundation.ts';

/** The layer-2 process, what it reports, and the announcing record that is written from its reports. */
export interface Layer2Side {
  readonly process: Layer2;
  readonly reports: Layer2Reports;
  readonly reconciler: AnnouncingReconciler;
  readonly firstOwners: FirstOwners;
}

interface Layer2SideOptions {
  readonly isOurs: (service: KeptService) => boolean;
  readonly deathReporter: Pick<DeathReporter, 'setMembers'>;
  /** Not called before `createParts` has created the NodeSpeaker. */
  readonly speaker: () => NodeSpeaker;
}

export function createLayer2Side(
  { options, clock, registry, diagnostics, turns, client, events, cluster }: Foundation,
  { isOurs, deathReporter, speaker }: Layer2SideOptions,
): Layer2Side {
  const { nodeName, namespace, logger, logLevel } = options;
  const process = createLayer2({
    settings: {
      nodeName,
      port: options.membershipPort,
      conflictPolicy: options.conflictPolicy,
      announceEverySeconds: options.announceEvery,
      witnessEverySeconds: options.witnessEvery,
      adoptOnly: options.adoptOnly,
    },
    logLevel,
    logger: createLogger('layer2', logLevel),
    registry,
    isHeldBack: true,
    turns,
    onMessage: (message) => reports.handle(message),
    entries: () => speaker().layer2Entries(),
  });
  const isOut = (name: string) => speaker().isOut(name);
  const membersFromKubernetes = keptMembersByKubernetes({
    clock,
    speakers: () => cluster.knownSpeakers.speakers(),
    self: nodeName,
    isOut,
  });
  const view = () => ({ self: nodeName, members: reports.members ?? membersFromKubernetes(), isOut });
  const reconciler = new AnnouncingReconciler({
    nodeName,
    clock,
    client,
    events: new AssignmentEvents({ clock, events, node: () => speaker().node(nodeName) }),
    logger,
    guard: diagnostics.guard,
    turns,
    services: cluster.services,
    isOurs,
    actsForDeadNode: (node) => actsForDeadNode(node, view()),
    isDead: (node) => isDeadNode(node, view()),
    claimed: (addresses) => process.claimed(addresses),
    unansweredReason: (service, address) => speaker().unansweredReason(service, address),
  });
  const firstOwners = new FirstOwners({
    ...{ nodeName, clock, logger, reconciler },
    servicesOf: (address) => speaker().servicesOf(address),
    isAnswering: (address) => reports.owned.has(address),
  });
  const reports = new Layer2Reports({
    nodeName,
    events,
    configMap: () => ({ namespace, uid: cluster.accepted.uid }),
    servicesOf: (address) => speaker().servicesOf(address),
    reconciler,
    onAnswering: (address, isAnswering) => speaker().setAnswering(address, isAnswering),
    onMembers: (members) => deathReporter.setMembers(members),
    firstOwners,
  });
  return { process, reports, reconciler, firstOwners };
}
