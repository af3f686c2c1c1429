import type { Logger } from '../../log.ts';
import type { AttributeFault } from '../codec/index.ts';
import { startWaitMs } from '../fsm/connecting-states.ts';
import { familyName, type Negotiated } from '../negotiation.ts';
import type { CarriedFamilies } from './carried-families.ts';
import { bounded } from './cause-text.ts';
import { describeDamping, formatRouterId } from './peer-status.ts';

/** How many octets of a malformed attribute are logged. */
const loggedOctets = 64;
/**
 * Maximum number of distinct failures logged before a session comes up. Without a limit, a peer that fails in a new way each time would fill
 * the log.
 */
const maxRememberedFailures = 64;

/**
 * The log lines of one peer. A session that comes up or ends gets one line. Failures in between get one line for each different reason,
 * and malformed UPDATEs get one for each attribute type and treatment.
 */
export class SessionLog {
  readonly #root: Logger;
  #logger: Logger;
  readonly #failures = new Set<string>();
  readonly #faults = new Set<string>();
  #isUnsendableLogged = false;

  constructor(name: string, logger: Logger) {
    this.#root = logger;
    this.#logger = logger.child({ peer: name });
  }

  renamed(before: string, name: string): void {
    this.#logger = this.#root.child({ peer: name });
    this.#logger.info({ before }, 'peer renamed');
  }

  /** Logs the next failure even if it has been logged before. */
  forgetFailures(): void {
    this.#failures.clear();
  }

  established(negotiated: Negotiated, { families, warnings }: CarriedFamilies): void {
    this.forgetFailures();
    this.#faults.clear();
    this.#isUnsendableLogged = false;
    const { peerAsn, peerRouterId, holdTimeSeconds } = negotiated;
    this.#logger.info(
      {
        peerAsn,
        peerRouterId: formatRouterId(peerRouterId),
        holdTimeSeconds,
        families: families.map(familyName),
      },
      'session established',
    );
    for (const reason of warnings) this.#logger.warn({ reason }, 'address family not sent');
  }

  /** The node's addresses have changed: logs each family that the session begins to carry, and each new reason why it does not carry one. */
  familiesChanged(before: CarriedFamilies, { families, warnings }: CarriedFamilies): void {
    const gained = families.filter((family) => !before.families.includes(family));
    if (gained.length > 0)
      this.#logger.info({ families: gained.map(familyName) }, 'now sending address family');
    for (const reason of warnings)
      if (!before.warnings.includes(reason)) this.#logger.warn({ reason }, 'address family not sent');
  }

  closed(reason: string): void {
    this.#logger.info({ reason: reason || 'stopped' }, 'session closed');
  }

  down(reason: string): void {
    if (this.#isNewFailure(reason)) this.#logger.warn({ reason }, 'session down');
  }

  oneConnectionClosed(reason: string): void {
    if (this.#isNewFailure(`one of two: ${reason}`))
      this.#logger.info({ reason }, 'one of two connections closed');
  }

  connectionRejected(reason: string): void {
    if (this.#isNewFailure(reason)) this.#logger.warn({ reason }, 'incoming connection rejected');
  }

  notInherited(reason: string): void {
    if (this.#isNewFailure(reason)) this.#logger.warn({ reason }, 'session not inherited');
  }

  capabilitiesRefused(capabilities: readonly number[] | 'all'): void {
    this.#logger.warn(
      { capabilities },
      'the peer rejected capabilities; OPEN messages omit them until the next established session ends',
    );
  }

  /** Logged at most once between two established sessions. */
  noBfd(): void {
    const reason = `BFD did not come up within ${startWaitMs / 1000} s`;
    if (this.#isNewFailure(reason)) this.#logger.warn({ reason }, 'session begins without BFD');
  }

  bfdDamping(): void {
    this.#logger.warn({ reason: describeDamping() }, 'BFD damped');
  }

  bfdDampingOver(): void {
    this.#logger.info('BFD no longer damped');
  }

  /** Logged as an error, because only a configuration mistake makes path attributes this long. Logged once for each session. */
  unsendable(): void {
    if (this.#isUnsendableLogged) return;
    this.#isUnsendableLogged = true;
    const reason = 'the path attributes leave no room for a prefix in a BGP message';
    this.#logger.error({ reason }, 'route not announced');
  }

  /** Logs a malformed attribute, as RFC 7606 section 6 asks. */
  malformedUpdate({ attributeType, treatment, error }: AttributeFault): void {
    const key = `${attributeType} ${treatment}`;
    if (this.#faults.has(key)) return;
    this.#faults.add(key);
    const octets = Buffer.from(error.data.subarray(0, loggedOctets)).toString('hex');
    const reason = bounded(error.text);
    this.#logger.warn({ attributeType, treatment, reason, octets }, 'malformed UPDATE');
  }

  #isNewFailure(key: string): boolean {
    if (this.#failures.has(key) || this.#failures.size >= maxRememberedFailures) return false;
    this.#failures.add(key);
    return true;
  }
}
