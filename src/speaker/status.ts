import { formatIp } from '../address/index.ts';
import type { Bfd } from '../bfd/parent.ts';
import type { BgpSpeaker } from '../bgp/index.ts';
import { systemClock } from '../clock.ts';
import { type SpeakerStatusBody, statusVersion } from '../cluster/status.ts';
import type { Reachability } from '../kubernetes/reachability.ts';
import type { Turns } from '../turns.ts';
import type { AcceptedConfigTracker } from './accepted-config-tracker.ts';
import type { AdoptionReport } from './adoption/adoption-report.ts';
import { peerBfd } from './bfd/bfd-status.ts';
import type { InitialSync } from './initial-sync.ts';
import type { Layer2Reports } from './layer2-reports.ts';
import type { LeavingReport } from './leaving/leaving-report.ts';
import type { NodeSpeaker } from './node-speaker.ts';

/** The parts of the speaker that its status reports on. */
export interface StatusSources {
  readonly nodeName: string;
  /** Class of the Services that the speaker serves; `undefined` for Services without a class. */
  readonly loadBalancerClass: string | undefined;
  readonly membershipPort: number;
  readonly sync: InitialSync;
  readonly accepted: AcceptedConfigTracker;
  readonly reachability: Reachability;
  readonly bgp: BgpSpeaker;
  readonly bfd: Pick<Bfd, 'status' | 'processStatus'>;
  readonly speaker: NodeSpeaker;
  readonly layer2: Layer2Reports;
  readonly leaving: Pick<LeavingReport, 'since'>;
  readonly adoption: Pick<AdoptionReport, 'status'>;
  readonly turns: Pick<Turns, 'status'>;
  readonly troubles: () => readonly string[];
}

/** The body of `/status`; `cluster/status.ts` describes the fields that other programs may rely on. */
export function speakerStatus(sources: StatusSources) {
  const { accepted, speaker, layer2 } = sources;
  return {
    version: statusVersion,
    node: sources.nodeName,
    waitingFor: sources.sync.missing,
    ...(accepted.current && { config: { hash: accepted.current.hash, acceptedAt: accepted.current.at } }),
    apiServer: sources.reachability.isAnswering ? 'reached' : 'not reached',
    peers: peersWithBfd(sources),
    announcing: Object.fromEntries(layer2.owned),
    inUse: Object.fromEntries(layer2.inUse),
    unverified: Object.fromEntries(layer2.unverified),
    advertised: Object.fromEntries(speaker.results.advertised()),
    usesLayer2: speaker.usesLayer2,
    members: layer2.members ?? [],
    membershipPort: sources.membershipPort,
    notAnnounced: speaker.results.refusals(),
    nodeRules: nodeRules(speaker),
    ...(sources.loadBalancerClass === undefined ? {} : { loadBalancerClass: sources.loadBalancerClass }),
    ...(layer2.links && { links: layer2.links }),
    ...leavingPart(sources),
    ...(speaker.adoption ? { adoption: sources.adoption.status(speaker.adoption) } : {}),
    troubles: sources.troubles(),
    longWork: sources.turns.status(),
  } satisfies SpeakerStatusBody;
}

function nodeRules({ nodeRules: rules }: NodeSpeaker): SpeakerStatusBody['nodeRules'] {
  const { leavesWhenCordoned, ignoresExcludeLabel } = rules;
  return { leavesWhenCordoned, ignoresExcludeLabel };
}

function leavingPart({ speaker, leaving }: StatusSources): Pick<SpeakerStatusBody, 'leaving'> {
  const state = speaker.leavingState;
  if (!state.leaving) return {};
  const { cause, reason } = state.leaving;
  const { draining, heldByFloor } = state;
  return { leaving: { cause, reason, since: leaving.since, draining, heldByFloor } };
}

/** The BGP sessions, each with the BFD session that watches its peer. */
function peersWithBfd({ bgp, bfd, speaker }: StatusSources) {
  const process = bfd.processStatus();
  const watched = new Map(
    bfd.status().flatMap((session) => {
      const shown = peerBfd(session, process, systemClock.epochMs());
      return speaker.peersOfBfdSession(session.id).map(({ name }) => [name, shown] as const);
    }),
  );
  return bgp.status().map((peer) => {
    const shown = watched.get(peer.name);
    return { ...peer, address: formatIp(peer.address), ...(shown ? { bfd: shown } : {}) };
  });
}
