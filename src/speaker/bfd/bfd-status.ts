import { diagnosticText } from '../../bfd/codec/diagnostic.ts';
import type { BfdProcessStatus, BfdSessionStatus } from '../../bfd/messages.ts';
import type { PeerBfdBody } from '../../cluster/status.ts';

/** After this many packets without an answer, the answer is missing and not only late. */
const unansweredPackets = 3;
/**
 * A session that stays in Init for this long has a problem. A session that is not Up sends about once a second (RFC 5880 section 6.8.3), so one
 * exchange takes two seconds at most. When the Detection Time of a session exceeds `initProblemMs`, the session gets its Detection Time instead.
 */
const initProblemMs = 5000;
/**
 * A packet that was dropped within this time still says what is wrong. The time is as long as the longest interval between packets that the
 * configuration allows.
 */
const recentDropMs = 60_000;

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
    since: new Date(session.sinceEpochMs).toISOString(),
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
  const { state, remoteState, sent, received, lastDropped, fault, lastReceivedAgoMs, detectionTimeMs } =
    session;
  if (fault !== undefined) return fault;
  if (state === 'Up' || state === 'AdminDown') return undefined;
  // With intervals of many seconds, an exchange may take as long as the Detection Time.
  const patienceMs = Math.max(detectionTimeMs, initProblemMs);
  const isHeard = lastReceivedAgoMs !== undefined && lastReceivedAgoMs <= patienceMs;
  if (isHeard) {
    if (remoteState === 'AdminDown') return 'the peer has shut its BFD session down';
    return state === 'Init' && nowEpochMs - session.sinceEpochMs >= patienceMs
      ? 'packets of the peer arrive, but the peer does not receive ours'
      : undefined;
  }
  if (lastDropped && lastDropped.agoMs <= recentDropMs)
    return `packets arrive and are dropped: ${lastDropped.reason}`;
  if (session.passive && session.remoteDiscriminator === 0)
    return 'this end is passive and waits for the peer, which sends nothing; one end must not be passive';
  if (sent < unansweredPackets) return undefined;
  return received === 0
    ? 'we send, and nothing returns: the peer has no BFD session with this address, or a firewall drops the packets'
    : 'we send, and nothing returns any more';
}
