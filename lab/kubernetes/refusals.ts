/** Finds the requests of Bellman that a Kubernetes API server refused for a reason that the test did not cause. */
import { type AuditEvent, isFirstOfRequest } from './audit-log.ts';

/** A line of the `.faults.jsonl` beside an audit log: something that a test did to the server. */
export interface Fault {
  /** ISO 8601. */
  readonly at: string;
  /**
   * `start`: the server's process starts. `forbid`: the test begins to take rights, tokens or capacity away. `ready`: the server is ready, or the
   * test has given back what it took away. `return`: a node that was cut off reaches the server again. Any other value is another `Knob` of
   * `lab/api-server.ts`, with which a test causes a fault of the server.
   */
  readonly what: string;
}

/**
 * Refusals are excused for this long after `ready`, and answers of 401 also after `return`. For some seconds after its start, the server denies
 * requests of valid accounts, because it has not read the roles yet. It reads changed roles within a second. On a machine with a load of 30, both
 * take longer.
 */
const rolesUnknownMs = 20_000;
/** Refusals that are part of a conversation: 404 for an object that does not exist yet, 409 for a conflict, and 410 for an old version. */
const normalCodes = new Set([404, 409, 410]);

/** Whether the server refused this request of Bellman. An answer of 500 or more is an outage, not a refusal. */
export function isRefused(event: AuditEvent): boolean {
  const { code = 0 } = event.responseStatus ?? {};
  return (
    !isOptional(event) &&
    isOurs(event) &&
    isFirstOfRequest(event) &&
    code >= 400 &&
    code < 500 &&
    !normalCodes.has(code)
  );
}

/**
 * The kinds of objects that a command lists but can do without, by user agent. Some of the Pods' accounts have no right to list them. When the
 * leader does not answer, a command lists the events that say why allocations failed. `bellman status` also lists Namespaces and ServiceCIDRs, to
 * find warnings. When it may not list one of these two kinds, it also prints the warnings that the controller has found.
 */
const optionalLists: Readonly<Record<string, readonly string[]>> = {
  'bellman-status': ['events', 'namespaces', 'servicecidrs'],
  'bellman-explain': ['events'],
  'bellman-capture': ['events'],
  'bellman-collect': ['events'],
  'bellman-page': ['events'],
  'bellman-validate': ['events'],
};

function isOptional({ userAgent = '', verb, objectRef }: AuditEvent): boolean {
  const [agent = ''] = userAgent.split('/');
  return verb === 'list' && optionalLists[agent]?.includes(objectRef?.resource ?? '') === true;
}

/** Whether a daemon or command of Bellman made the request. When the token is invalid, the event has no user name, but it has the user agent. */
export function isOurs({ user, userAgent = '' }: AuditEvent): boolean {
  const { username = '' } = user;
  return username.startsWith('system:serviceaccount:bellman-system:') || userAgent.startsWith('bellman');
}

/** Whether the refusal follows from what a test did: a start of the server, or rights, tokens or capacity that the test took away. */
export function isExcused(event: AuditEvent, faults: readonly Fault[]): boolean {
  const { code } = event.responseStatus ?? {};
  if (code !== 401 && code !== 403 && code !== 429) return false;
  const atMs = Date.parse(event.requestReceivedTimestamp);
  let hasRoles = true;
  let readyMs = Number.NEGATIVE_INFINITY;
  let returnMs = Number.NEGATIVE_INFINITY;
  for (const { at, what } of faults) {
    const faultMs = Date.parse(at);
    if (faultMs > atMs) break;
    if (what === 'start' || what === 'forbid') hasRoles = false;
    if (what === 'return') returnMs = faultMs;
    if (what === 'ready') {
      hasRoles = true;
      readyMs = faultMs;
    }
  }
  const excusedFrom = code === 401 ? Math.max(readyMs, returnMs) : readyMs;
  return !hasRoles || atMs - excusedFrom < rolesUnknownMs;
}
