import { formatIp, ipFromBytes } from '../../address/index.ts';
import type { Logger } from '../../log.ts';
import { isCollision } from '../cease.ts';
import type { AttributeFault } from '../codec/index.ts';
import type { DownCause, NotificationError } from '../fsm-types.ts';
import type { Message, UpdateMessage } from '../message.ts';
import type { BgpMetrics, MessageKind } from '../metrics.ts';
import { familyName, type Negotiated } from '../negotiation.ts';
import { describeNotification } from '../notification-text.ts';
import type { ResolvedPeer } from '../peer.ts';
import type { BgpState, PeerStatus } from '../speaker-api.ts';
import type { CarriedFamilies } from './carried-families.ts';

/** Of a malformed attribute. */
const loggedOctets = 64;
/** Characters of a reason, which may quote the peer. */
const longestReason = 400;
/** A peer may offer thousands of capabilities; status names this many. */
const shownCapabilities = 64;

/** What the session knows at the moment it is asked. */
interface Snapshot {
  readonly state: BgpState;
  readonly negotiated: Negotiated | undefined;
  readonly carried: CarriedFamilies | undefined;
  readonly routesDesired: number;
  readonly routesSent: number;
  readonly routesRefused: number;
}

/**
 * What people see of a session: log lines, metrics, status. A session that comes up or goes down is one line; attempts that fail
 * are one line for as long as they fail for the same reason.
 */
export class SessionReport {
  readonly #logger: Logger;
  readonly #metrics: BgpMetrics;
  #peer: ResolvedPeer;
  #peerLogger: Logger;
  #state: BgpState = 'Idle';
  #since = new Date();
  #lastError: { readonly reason: string; readonly at: string } | undefined;
  #saidError: string | undefined;
  #saidOther: string | undefined;
  #resetReason: string | undefined;
  readonly #saidFaults = new Set<string>();

  constructor(peer: ResolvedPeer, logger: Logger, metrics: BgpMetrics) {
    this.#peer = peer;
    this.#logger = logger;
    this.#peerLogger = logger.child({ peer: peer.settings.name });
    this.#metrics = metrics;
    metrics.add(peer.settings.name);
  }

  /** Goes on under the peer's new name, if it has one; counters begin anew with it. The old one's were removed before. */
  update(peer: ResolvedPeer): void {
    const { name } = this.#peer.settings;
    this.#peer = peer;
    if (peer.settings.name === name) return;
    this.#metrics.add(peer.settings.name);
    this.#metrics.state(peer.settings.name, this.#state);
    if (this.#lastError) this.#metrics.lastError(peer.settings.name, this.#lastError.reason);
    this.#peerLogger = this.#logger.child({ peer: peer.settings.name });
    this.#peerLogger.info({ before: name }, 'peer renamed');
  }

  state(to: BgpState): void {
    const from = this.#state;
    if (from === to) return;
    this.#state = to;
    this.#since = new Date();
    this.#metrics.transition(this.#peer.settings.name, from, to);
  }

  /** The reason of the next `down`, where it is ours. */
  resetBecause(reason: string): void {
    this.#resetReason = reason;
  }

  up({ peerAsn, peerRouterId, holdTimeSeconds }: Negotiated, { families, warnings }: CarriedFamilies): void {
    this.#resetReason = undefined;
    this.#saidError = undefined;
    this.#saidOther = undefined;
    this.#saidFaults.clear();
    const details = {
      peerAsn,
      peerRouterId: formatRouterId(peerRouterId),
      holdTimeSeconds,
      families: families.map(familyName),
    };
    this.#peerLogger.info(details, 'session established');
    for (const reason of warnings) this.#peerLogger.warn({ reason }, 'address family not carried');
  }

  /** A session or an attempt has ended. */
  down(cause: DownCause): void {
    const name = this.#peer.settings.name;
    if (cause.kind === 'hold-timer') this.#metrics.holdExpiries.inc({ peer: name });
    if (cause.kind === 'send-hold-timer') this.#metrics.sendHoldExpiries.inc({ peer: name });
    if (cause.kind === 'received')
      this.#metrics.notification(name, 'received', cause.error.code, cause.error.subcode);
    const because = this.#resetReason;
    this.#resetReason = undefined;
    if (cause.kind !== 'stopped') {
      this.failed(describeCause(cause));
      return;
    }
    const reason = [...(cause.error ? [describeSent(cause.error)] : []), ...(because ? [because] : [])].join(
      ', ',
    );
    if (cause.error) this.#keep(reason);
    this.#peerLogger.info({ reason: reason || 'stopped' }, 'session closed');
  }

  /** One of two connections with the peer has ended, and the other one is the session's. Collisions are nobody's error. */
  otherDown(cause: DownCause): void {
    const name = this.#peer.settings.name;
    if (cause.kind === 'received')
      this.#metrics.notification(name, 'received', cause.error.code, cause.error.subcode);
    if (cause.kind !== 'received' && cause.kind !== 'sent') return;
    const reason = describeCause(cause);
    if (!isCollision(cause.error)) this.#keep(reason);
    if (this.#saidOther === reason) return;
    this.#saidOther = reason;
    this.#peerLogger.info({ reason }, 'one of two connections closed');
  }

  /** The next OPEN goes without what the peer refused. */
  capabilitiesRefused(refused: ReadonlySet<number> | 'all'): void {
    const capabilities = refused === 'all' ? refused : [...refused];
    this.#peerLogger.warn(
      { capabilities },
      'the peer refuses capabilities, leaving them out until a session has ended',
    );
  }

  /** No session may begin yet; who says why not has logged it. */
  waiting(reason: string): void {
    this.#keep(reason);
  }

  /** Logs a failure unless it is the same as before, and keeps it as the last error. */
  failed(reason: string): void {
    this.#keep(reason);
    if (this.#saidError === reason) return;
    this.#saidError = reason;
    this.#peerLogger.warn({ reason }, 'session down');
  }

  #keep(reason: string): void {
    this.#lastError = { reason, at: new Date().toISOString() };
    this.#metrics.lastError(this.#peer.settings.name, reason);
  }

  /** Attributes too long for a message: an operator's mistake, said once per session. */
  unsendable(): void {
    if (this.#saidFaults.has('unsendable')) return;
    this.#saidFaults.add('unsendable');
    this.#peerLogger.error({ reason: 'path attributes fill a whole message' }, 'route not announced');
  }

  /** Counts an UPDATE, whose routes are dropped, and says once per attribute what was wrong with it (RFC 7606 section 6). */
  routesReceived({ nlri, attributes }: UpdateMessage, faults: readonly AttributeFault[]): void {
    const name = this.#peer.settings.name;
    const prefixes = nlri.length + (attributes.mpReach?.nlri.length ?? 0);
    if (prefixes > 0) this.#metrics.receivedPrefixes.inc({ peer: name }, prefixes);
    for (const treatment of new Set(faults.map((fault) => fault.treatment)))
      this.#metrics.malformedUpdate(name, treatment);
    for (const { attributeType, treatment, error } of firstOfEachType(faults)) {
      const key = `${attributeType} ${treatment}`;
      if (this.#saidFaults.has(key)) continue;
      this.#saidFaults.add(key);
      const octets = Buffer.from(error.data.subarray(0, loggedOctets)).toString('hex');
      this.#peerLogger.warn(
        { attributeType, treatment, reason: bounded(error.text), octets },
        'malformed UPDATE',
      );
    }
  }

  sent(message: Message, kind: MessageKind, octets: number): void {
    const name = this.#peer.settings.name;
    this.#metrics.sent(name, kind, octets);
    if (message.kind === 'notification')
      this.#metrics.notification(name, 'sent', message.code, message.subcode);
  }

  status(snapshot: Snapshot): PeerStatus {
    const { state, negotiated, carried, routesDesired, routesSent } = snapshot;
    const { name, address } = this.#peer.settings;
    return {
      name,
      address,
      state,
      since: this.#since.toISOString(),
      ...(negotiated
        ? {
            peerAsn: negotiated.peerAsn,
            peerRouterId: formatRouterId(negotiated.peerRouterId),
            holdTimeSeconds: negotiated.holdTimeSeconds,
          }
        : {}),
      families: (carried?.families ?? []).map(familyName),
      capabilities: (negotiated?.capabilities ?? []).slice(0, shownCapabilities),
      warnings: this.#warnings(snapshot),
      routesDesired,
      routesSent,
      ...(this.#lastError ? { lastError: this.#lastError.reason, lastErrorAt: this.#lastError.at } : {}),
    };
  }

  #warnings({ carried, negotiated, routesRefused }: Snapshot): string[] {
    const { warning } = this.#peer;
    const withheld = negotiated?.withheld ?? [];
    return [
      ...(warning === undefined ? [] : [warning]),
      ...(carried?.warnings ?? []),
      ...(withheld.length === 0
        ? []
        : [`the peer has refused our OPEN, which now goes without ${withheld.join(', ')}`]),
      ...(routesRefused === 0
        ? []
        : [`${routesRefused} routes are not sent: their path attributes fill a whole message`]),
    ];
  }
}

/** One message may repeat an attribute thousands of times. Its first fault stands for all of them. */
function firstOfEachType(faults: readonly AttributeFault[]): readonly AttributeFault[] {
  const byType = new Map<number, AttributeFault>();
  for (const fault of faults) if (!byType.has(fault.attributeType)) byType.set(fault.attributeType, fault);
  return [...byType.values()];
}

/** Cuts text that may quote the peer: it becomes a log line, a metric label and a line of status. */
function bounded(reason: string): string {
  return reason.length > longestReason ? `${reason.slice(0, longestReason)}…` : reason;
}

function describeCause(cause: Exclude<DownCause, { kind: 'stopped' }>): string {
  switch (cause.kind) {
    case 'sent':
      return describeSent(cause.error);
    case 'received':
      return bounded(`NOTIFICATION received: ${describeNotification(cause.error)}`);
    case 'hold-timer':
      return 'Hold Timer Expired';
    case 'send-hold-timer':
      return 'Send Hold Timer Expired';
    case 'reset':
      return bounded(cause.error ? `${describeSent(cause.error)}, ${cause.cause}` : cause.cause);
    case 'tcp':
      return cause.cause;
  }
}

function describeSent(error: NotificationError): string {
  return bounded(`NOTIFICATION sent: ${describeNotification(error)}${error.text ? `, ${error.text}` : ''}`);
}

function formatRouterId(routerId: number): string {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, routerId);
  return formatIp(ipFromBytes(bytes));
}
