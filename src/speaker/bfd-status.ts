import { diagnosticText } from '../bfd/codec/diagnostic.ts';
import type { BfdProcessStatus, BfdSessionStatus } from '../bfd/messages.ts';
import type { PeerBfdBody } from '../cluster/status.ts';

/** After this many packets without an answer, the answer is missing and not only late. */
const unansweredPackets = 3;
/** A session that has been in Init for this long does not come up any more. Packets are sent every second at least. */
const initProblemMs = 5000;

/** The BFD session of a peer as `/status` shows it. */
export function peerBfd(
  session: BfdSessionStatus,
  process: BfdProcessStatus | undefined,
  nowEpochMs: number,
): PeerBfdBody {
  const problem = problemOf(session, nowEpochMs);
  const warnings = [
    ...(session.warning === undefined ? [] : [session.warning]),
    ...(process?.schedulingFault === undefined
      ? []
      : [`no real-time scheduling: ${process.schedulingFault}`]),
  ];
  return {
    state: session.state,
    remoteState: session.remoteState,
    since: new Date(session.sinceMs).toISOString(),
    diagnostic: diagnosticText(session.diagnostic),
    remoteDiagnostic: diagnosticText(session.remoteDiagnostic),
    localDiscriminator: session.localDiscriminator,
    remoteDiscriminator: session.remoteDiscriminator,
    transmitIntervalMs: session.transmitIntervalMs,
    detectionTimeMs: session.detectionTimeMs,
    local: {
      desiredTransmitIntervalMs: session.desiredTransmitIntervalMs,
      requiredReceiveIntervalMs: session.requiredReceiveIntervalMs,
      detectMultiplier: session.detectMultiplier,
    },
    remote: {
      desiredTransmitIntervalMs: session.remoteDesiredTransmitIntervalMs,
      requiredReceiveIntervalMs: session.remoteRequiredReceiveIntervalMs,
      detectMultiplier: session.remoteDetectMultiplier,
    },
    sent: session.sent,
    received: session.received,
    downs: session.downs,
    dropped: session.dropped,
    warnings,
    ...(problem === undefined ? {} : { problem }),
  };
}

/** Why the session is not Up, as far as this end can see it. Most often a firewall or a missing session of the peer is the reason. */
export function problemOf(session: BfdSessionStatus, nowEpochMs: number): string | undefined {
  const { state, remoteState, sent, received, dropped, fault, lastReceivedAgoMs, detectionTimeMs } = session;
  if (fault !== undefined) return fault;
  if (state === 'Up' || state === 'AdminDown') return undefined;
  const isHeard =
    lastReceivedAgoMs !== undefined && lastReceivedAgoMs <= Math.max(detectionTimeMs, initProblemMs);
  if (isHeard) {
    if (remoteState === 'AdminDown') return 'the peer has shut its BFD session down';
    return state === 'Init' && nowEpochMs - session.sinceMs >= initProblemMs
      ? 'packets of the peer arrive, but the peer does not receive ours'
      : undefined;
  }
  const [reason] = Object.entries(dropped).sort(([, a], [, b]) => b - a)[0] ?? [];
  if (reason !== undefined) return `packets arrive and are dropped: ${reason}`;
  if (sent < unansweredPackets) return undefined;
  return received === 0
    ? 'we send, and nothing returns: the peer has no BFD session with this address, or a firewall drops the packets'
    : 'we send, and nothing returns any more';
}
