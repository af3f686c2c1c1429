/**
 * The speaker process. It wires the parts together and decides nothing:
 *
 *   watches ──→ NodeSpeaker ──→ BgpSpeaker (sessions and routes)
 *                    └────────→ layer-2 process (ownership of addresses, ARP and NDP)
 *                                    └─ reports ─→ AnnouncingReconciler (record on the Services), events
 *   HTTP endpoint: /metrics, /healthz, /readyz, /status, /debug/events
 *
 * A speaker that replaces another one first waits beside it (stand-by.ts), and takes its sessions over.
 *
 * BGP starts first, and the watches that feed it start last. The layer-2 process runs only while a pool is announced in layer 2, or dead
 * nodes are reported. On a signal, BGP and the layer-2 process also stop first. BGP ends its sessions while the layer-2 process hands over
 * its addresses. Then the watches and the HTTP endpoint end.
 */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { createBfd } from '../bfd/parent.ts';
import {
  type BgpSpeaker,
  createBgpSpeaker,
  isOnLink,
  type SessionChange,
  type SessionSuccession,
  type StopMode,
  warmUp,
} from '../bgp/index.ts';
import { systemClock } from '../clock.ts';
import { loadBalancerClassMatches } from '../cluster/service-class.ts';
import { viewerAudience } from '../cluster/viewer.ts';
import { connect } from '../kubernetes/client.ts';
import { EventRecorder } from '../kubernetes/event-recorder.ts';
import { registerKubernetesMetrics } from '../kubernetes/metrics.ts';
import { accessByToken } from '../kubernetes/token-review.ts';
import type { FromLayer2 } from '../layer2/messages.ts';
import { createLayer2, type Layer2 } from '../layer2/parent.ts';
import type { DefencePolicy } from '../layer2/responder/defence.ts';
import { createLogger, type Logger, type LogLevel } from '../log.ts';
import { keepMemorySmall } from '../memory/keeper.ts';
import { PredecessorRunner } from '../succession/predecessor-runner.ts';
import { connectToPredecessor } from '../succession/successor-runner.ts';
import { registerConfigMetrics } from '../telemetry/config-metrics.ts';
import { endOnCrash } from '../telemetry/crash.ts';
import { createDiagnostics, type Diagnostics } from '../telemetry/diagnostics.ts';
import { HttpLimits } from '../telemetry/http-limits.ts';
import type { ListenAddress } from '../telemetry/http-server.ts';
import { logLongWork } from '../telemetry/long-work-log.ts';
import { registerProcessMetrics } from '../telemetry/process-metrics.ts';
import { Turns } from '../turns.ts';
import { version } from '../version.ts';
import { AcceptedConfigTracker } from './accepted-config-tracker.ts';
import { AdoptionReport } from './adoption/adoption-report.ts';
import type { AdoptionState } from './adoption/adoption-state.ts';
import { FirstOwners } from './adoption/first-owners.ts';
import { OtherSessions } from './adoption/other-sessions.ts';
import { registerAnnouncedMetrics } from './announced-metrics.ts';
import { BfdDowns, registerBfdMetrics } from './bfd/bfd-metrics.ts';
import { BfdReports } from './bfd/bfd-reports.ts';
import { FrameCapture } from './capture/frame-capture.ts';
import { ConfigMemory } from './config-memory.ts';
import { registerDeathMetrics } from './dead-nodes/death-metrics.ts';
import { DeathReporter } from './dead-nodes/death-reporter.ts';
import { askByTcp } from './dead-nodes/tcp-question.ts';
import { serveSpeaker } from './http.ts';
import { type AwaitedKind, InitialSync } from './initial-sync.ts';
import { KnownSpeakerList } from './known-speakers.ts';
import { Layer2Reports } from './layer2-reports.ts';
import { registerLeavingMetrics } from './leaving/leaving-metrics.ts';
import { LeavingReport } from './leaving/leaving-report.ts';
import { sendLinkHints } from './link-hints.ts';
import { NodeSpeaker } from './node-speaker.ts';
import { reportPeerTrouble } from './peers/peer-trouble-report.ts';
import { SessionEvents } from './peers/session-events.ts';
import type { KeptService } from './plan/kept-objects.ts';
import { actsForDeadNode, membersByKubernetes } from './record/acts-for-dead-node.ts';
import { AnnouncingReconciler } from './record/announcing-reconciler.ts';
import { AssignmentEvents } from './record/assignment-events.ts';
import { markRestart } from './restart-mark.ts';
import { StandBy } from './stand-by.ts';
import { SpeakerWatches } from './watches.ts';

export interface RunSpeakerOptions {
  readonly nodeName: string;
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly metricsAddress: readonly ListenAddress[];
  readonly loadBalancerClass?: string;
  readonly membershipPort: number;
  readonly leaveWhenCordoned: boolean;
  readonly ignoreExcludeLabel: boolean;
  /** Whether to announce only what an object admits, because another program announces the addresses. */
  readonly adoptOnly: boolean;
  readonly conflictPolicy: DefencePolicy;
  /** Seconds between two announcements of an owned address. 0 means announcements only after a takeover. */
  readonly announceEvery: number;
  /** Seconds; 0 for a speaker that asks no other node for its addresses. */
  readonly witnessEvery: number;
  /** Directory of the state that the next speaker on this node reads: the restart mark and the accepted configuration. */
  readonly stateDirectory: string;
  readonly logLevel: LogLevel;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** The warm-up waits until the first sessions have sent their routes. */
const warmUpAfterMs = 5000;
/** Deadline for sending the last events when the process stops. */
const eventsAtStopMs = 1000;

/** Runs until the signal aborts and every peer has been informed. Rejects only when it cannot start. */
export async function runSpeaker(options: RunSpeakerOptions): Promise<void> {
  const { nodeName, namespace, logger, signal } = options;
  const clock = systemClock;
  const registry = new Registry();
  const diagnostics = createDiagnostics({ clock, logger, registry });
  const { recorder } = diagnostics;
  const turns = new Turns(clock, logLongWork(logger));
  const client = await connect(options.kubeconfig, 'bellman-speaker', { logger, recorder });
  registerKubernetesMetrics(registry, client.reachability);
  registerProcessMetrics(registry, clock, { component: 'speaker', version });
  endOnCrash({ logger, recorder, clock });
  const services = new Map<string, KeptService>();
  const knownSpeakers = new KnownSpeakerList();
  const accepted = new AcceptedConfigTracker();
  registerConfigMetrics(registry, () => accepted.current);
  const sync = new InitialSync();
  const events = new EventRecorder({ client, component: 'bellman-speaker', host: nodeName, logger, clock });
  const isOurs = (service: KeptService) => loadBalancerClassMatches(service, options.loadBalancerClass);

  const bgp = startBgp(options, registry, diagnostics, {
    onInterfacesChanged: () => speaker.interfacesChanged(),
    onSessionChange: (change) => sessionEvents.handle(change),
  });
  const linkHints = sendLinkHints(bgp, diagnostics.guard, logger);
  const bfdDowns = new BfdDowns();
  const bfd = createBfd({
    logLevel: options.logLevel,
    logger: createLogger('bfd', options.logLevel),
    successionPath: join(options.stateDirectory, `${nodeName}.bfd-succession`),
    onChange: (change) => bfdReports.handle(change),
  });
  registerBfdMetrics(registry, bfd, bfdDowns);
  const successionPath = join(options.stateDirectory, `${nodeName}.succession`);
  const layer2 = createLayer2Handle(options, registry, {
    turns,
    onMessage: (message) => reports.handle(message),
    entries: () => speaker.layer2Entries(),
  });
  const speaker = new NodeSpeaker({
    nodeName,
    isOurs,
    isOnLink,
    leavesWhenCordoned: options.leaveWhenCordoned,
    ignoresExcludeLabel: options.ignoreExcludeLabel,
    namespace,
    bgp,
    bfd: {
      setSessions: (sessions, joined) => {
        bfdReports.configured(sessions, joined);
        bfd.setSessions(sessions);
      },
    },
    layer2,
    onPeerTrouble: (trouble) =>
      reportPeerTrouble(trouble, { configMap: { namespace, uid: accepted.uid }, events, logger }),
    onLeaving: (state) => leaving.update(state),
    ...(options.adoptOnly ? { onAdoption: (state: AdoptionState) => adoptionChanged(state) } : {}),
    clock,
    logger,
    guard: diagnostics.guard,
    turns,
  });
  const leaving = new LeavingReport({ clock, events, node: () => speaker.node(nodeName), logger });
  registerLeavingMetrics(registry, nodeName, () => speaker.leavingState);
  const bfdReports = new BfdReports({
    bgp,
    events,
    downs: bfdDowns,
    peersOf: (session) => speaker.peersOfBfdSession(session),
    node: () => speaker.node(nodeName),
  });
  const sessionEvents = new SessionEvents({ events, node: () => speaker.node(nodeName) });
  const isOut = (name: string) => speaker.isOut(name);
  const reconciler = new AnnouncingReconciler({
    nodeName,
    clock,
    client,
    events: new AssignmentEvents({ clock, events, node: () => speaker.node(nodeName) }),
    logger,
    guard: diagnostics.guard,
    turns,
    services,
    isOurs,
    actsForDeadNode: (node) =>
      actsForDeadNode(node, {
        self: nodeName,
        members: reports.members ?? membersByKubernetes(knownSpeakers.speakers(), { self: nodeName, isOut }),
        isOut,
      }),
    claimed: (addresses) => layer2.claimed(addresses),
    unansweredReason: (service, address) => speaker.unansweredReason(service, address),
  });
  const firstOwners = new FirstOwners({
    ...{ nodeName, clock, logger, reconciler },
    servicesOf: (address) => speaker.servicesOf(address),
    isAnswering: (address) => reports.owned.has(address),
  });
  const adoption = new AdoptionReport({ nodeName, logger, firstOwners, layer2 });
  const otherSessions = new OtherSessions({
    clock,
    adoption: () => speaker.adoption?.bgp ?? 'live',
    peers: () => speaker.configuredPeers,
    found: (peers) => speaker.setOtherSessions(peers),
  });
  const adoptionChanged = (state: AdoptionState) => {
    adoption.update(state);
    if (state.bgp === 'waiting') otherSessions.hurry();
  };
  const reports = new Layer2Reports({
    nodeName,
    events,
    configMap: () => ({ namespace, uid: accepted.uid }),
    servicesOf: (address) => speaker.servicesOf(address),
    reconciler,
    onMembers: (members) => deathReporter.setMembers(members),
    firstOwners,
  });
  const deathReporter = new DeathReporter({
    ...{ client, namespace, clock, logger, recorder },
    node: () => speaker.node(nodeName),
    port: options.membershipPort,
    ask: askByTcp,
  });
  registerDeathMetrics(registry, deathReporter);

  registerAnnouncedMetrics(registry, {
    nodeName,
    sync,
    speaker,
    establishedPeers: () =>
      new Set(bgp.status().flatMap(({ name, state }) => (state === 'Established' ? name : []))),
    owned: () => reports.owned.keys(),
    inConflict: () => reports.inUse.keys(),
  });

  const successor = connectToPredecessor({
    ...{ path: successionPath, logger, recorder, guard: diagnostics.guard },
    check: (items) => bgp.inherit(items),
    discard: () => bgp.disinherit(),
  });
  const capture = new FrameCapture({
    nodeName,
    clock,
    config: () => accepted.current?.config,
    opener: async () => (await import('../link/capture.ts')).openCapture,
  });
  const httpLimits = new HttpLimits({ clock, registry });
  const serve = () =>
    serveSpeaker({
      addresses: options.metricsAddress,
      registry,
      layer2,
      bfd,
      diagnostics,
      access: accessByToken(client, clock, viewerAudience),
      limits: httpLimits,
      capture,
      turns,
      status: {
        nodeName,
        loadBalancerClass: options.loadBalancerClass,
        sync,
        accepted,
        reachability: client.reachability,
        bgp,
        bfd,
        speaker,
        layer2: reports,
        leaving,
        adoption,
        turns,
        troubles: () => [...layer2Troubles(layer2), ...deathReporter.troubles()],
      },
    });
  const standBy = new StandBy({ successor, serve, clock, logger, signal });
  if (successor)
    logger.info({ node: nodeName }, 'another speaker serves this node; this one waits beside it');
  await standBy.started;
  const served = standBy.endpoint.then((endpoint) => {
    if (!endpoint) return;
    layer2.letStart();
    logger.info({ node: nodeName, server: client.server, metricsPort: endpoint.port }, 'speaker started');
  });
  const predecessor = new PredecessorRunner({
    ...{ path: successionPath, clock, logger, recorder, guard: diagnostics.guard },
    offer: () => bgp.offer(),
  });

  const arrived = (kind: AwaitedKind) => {
    if (!sync.arrived(kind)) return;
    logger.info({ node: nodeName, services: services.size }, 'in sync');
    standBy.inSync(() => {
      speaker.start();
      reconciler.start();
      if (options.adoptOnly) otherSessions.start();
      predecessor.listen();
      keepMemorySmall({ clock, logger, signal });
    });
  };
  const watching = new AbortController();
  const watches = new SpeakerWatches({
    namespace,
    client,
    clock,
    turns,
    logger,
    guard: diagnostics.guard,
    signal: watching.signal,
    services,
    accepted,
    knownSpeakers,
    memory: new ConfigMemory(options.stateDirectory, nodeName),
    speaker,
    layer2,
    deathReporter,
    reconciler,
    arrived,
  }).run();

  await Promise.race([aborted(signal), served.then(() => aborted(signal))]);
  logger.info({ node: nodeName, reason: String(signal.reason) }, 'stopping');
  linkHints.close();
  otherSessions.stop();
  firstOwners.stop();
  const stopSessions = async () => {
    const outcome = await predecessor.stop();
    if (outcome === 'passed') {
      logger.info({ node: nodeName }, 'another speaker has taken the sessions over');
      await bfd.passOn();
    } else await bgp.stop(stopMode(nodeName, speaker));
    // BFD ends after BGP. If it ended first, peers that take AdminDown for a failure would drop routes that they could keep.
    await bfd.stop();
  };
  await Promise.all([deathReporter.stop(), layer2.stop(), stopSessions()]);
  reconciler.stop();
  await events.flush(eventsAtStopMs);
  watching.abort();
  await Promise.all([watches, standBy.endpoint.then((endpoint) => endpoint?.close())]);
  logger.info({ node: nodeName }, 'stopped');
}

function startBgp(
  options: RunSpeakerOptions,
  registry: Registry,
  { guard, recorder }: Diagnostics,
  handlers: {
    readonly onInterfacesChanged: () => void;
    readonly onSessionChange: (change: SessionChange) => void;
  },
): BgpSpeaker & SessionSuccession {
  return createBgpSpeaker({
    logger: createLogger('bgp', options.logLevel),
    registry,
    hostName: hostname(),
    // In an adoption, the node has forwarded packets for the program that ran before.
    restarting: markRestart(options.stateDirectory, options.nodeName) || options.adoptOnly,
    afterFirstPeers: () => systemClock.after(warmUpAfterMs, () => void warmUp(systemClock)),
    ...handlers,
    guard,
    recorder,
  });
}

function createLayer2Handle(
  options: RunSpeakerOptions,
  registry: Registry,
  handlers: {
    readonly turns: Turns;
    readonly onMessage: (message: FromLayer2) => void;
    readonly entries: () => ReturnType<NodeSpeaker['layer2Entries']>;
  },
): Layer2 {
  const { nodeName, membershipPort, conflictPolicy, announceEvery, witnessEvery, adoptOnly, logLevel } =
    options;
  return createLayer2({
    settings: {
      nodeName,
      port: membershipPort,
      conflictPolicy,
      announceEverySeconds: announceEvery,
      witnessEverySeconds: witnessEvery,
      adoptOnly,
    },
    logLevel,
    logger: createLogger('layer2', logLevel),
    registry,
    isHeldBack: true,
    ...handlers,
  });
}

function layer2Troubles(layer2: Layer2): string[] {
  const fault = layer2.keyFault();
  return fault === undefined ? [] : [`layer 2: ${fault}`];
}

/**
 * On a node that leaves or is cordoned, no new speaker starts soon. On any other node, the next speaker starts within seconds. A node that leaves
 * but still announces addresses is treated like a node that stays, so that the routers keep its routes.
 */
function stopMode(nodeName: string, speaker: NodeSpeaker): StopMode {
  const { leaving, isHeldByFloor } = speaker.leavingState;
  const leaves = leaving ? !isHeldByFloor : speaker.node(nodeName)?.unschedulable;
  return leaves ? { kind: 'shutdown', reason: `node drain: ${nodeName}` } : { kind: 'restart' };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
