import { fail, type Result } from '../../result.ts';
import { withoutApiServer, withoutToken } from '../daemon-faults.ts';
import { daemonUrl, type HttpFault, httpGet } from './http-get.ts';

/** A path of a daemon's HTTP endpoint. */
export interface DaemonQuery {
  readonly port: number;
  readonly path: string;
  /** A token of the viewer account. Clients on loopback need no token. */
  readonly token: string | undefined;
  /** Longest silence of the daemon, in milliseconds. */
  readonly silenceMs?: number | undefined;
}

/** The HTTP status by which a daemon reports each of two faults (`telemetry/access.ts`). */
const refusals = { withoutApiServer: 503, withoutToken: 401 } as const;

/**
 * Queries a daemon at one address after another until an answer decodes, because a daemon often listens on only one of its node's addresses.
 * If no answer decodes, fails with the first fault of an address that answered, or else with the fault of the first address.
 */
export async function queryDaemon<T>(
  addresses: readonly string[],
  { port, path, token, silenceMs }: DaemonQuery,
  decode: (body: string) => Result<T, string>,
): Promise<Result<T, string>> {
  const faults: HttpFault[] = [];
  for (const address of addresses) {
    const body = await httpGet(daemonUrl(address, port, path), token, silenceMs);
    const decoded = body.ok ? decode(body.value) : undefined;
    if (decoded?.ok) return decoded;
    if (!body.ok) faults.push(body.error);
    else if (decoded) faults.push({ reason: decoded.error, hasAnswered: true });
  }
  const fault = faults.find(({ hasAnswered }) => hasAnswered) ?? faults[0];
  if (fault?.status === refusals.withoutApiServer) return fail(withoutApiServer);
  if (fault?.status === refusals.withoutToken && token === undefined) return fail(withoutToken);
  return fail(fault?.reason ?? 'it has no address');
}
