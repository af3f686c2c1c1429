import { fail, type Result } from '../result.ts';
import { daemonUrl, httpGet } from './http-get.ts';

/** A path of a daemon's HTTP endpoint. */
export interface DaemonQuery {
  readonly port: number;
  readonly path: string;
  /** A token of the viewer account. Clients on loopback need no token. */
  readonly token: string | undefined;
}

/** Queries a daemon at one address after another until an answer decodes. If none decodes, fails with the fault of the last address. */
export async function queryDaemon<T>(
  addresses: readonly string[],
  { port, path, token }: DaemonQuery,
  decode: (body: string) => Result<T, string>,
): Promise<Result<T, string>> {
  let outcome: Result<T, string> = fail('it has no address');
  for (const address of addresses) {
    const body = await httpGet(daemonUrl(address, port, path), token);
    outcome = body.ok ? decode(body.value) : body;
    if (outcome.ok) break;
  }
  return outcome;
}
