import type { Clock } from '../../clock.ts';
import { viewerAudience, viewerServiceAccount } from '../../cluster/viewer.ts';
import type { Api } from '../../kubernetes/api.ts';
import { requestToken } from '../../kubernetes/token-request.ts';
import { reasonOf } from '../../result.ts';

export interface ViewerToken {
  readonly token?: string;
  /** Why there is no token, in a sentence. */
  readonly problem?: string;
}

/** Asks for a short-lived token of the viewer account. Without a token, daemons do not show their state to clients on other hosts. */
export function requestViewerToken(client: Api, namespace: string): Promise<ViewerToken> {
  return requestDaemonToken(client, namespace, viewerServiceAccount);
}

/** Asks for a short-lived token of an account that the daemons know. */
export async function requestDaemonToken(
  client: Api,
  namespace: string,
  account: string,
): Promise<ViewerToken> {
  try {
    return { token: await requestToken(client, namespace, account, viewerAudience) };
  } catch (error) {
    const reason = reasonOf(error);
    return {
      problem: `daemons on other hosts show their state only with a token of ServiceAccount ${namespace}/${account}, and the request for this token failed: ${reason}`,
    };
  }
}

/** A token is used for half of the ten minutes for which the API server issues it. */
const tokenMs = 300_000;
/** The pause after a refusal is short, because an administrator may be granting the right. */
const refusalMs = 5000;

/** Keeps a valid token of the viewer account, for a process that asks the daemons again and again. */
export class ViewerTokenSource {
  readonly #request: () => Promise<ViewerToken>;
  readonly #clock: Clock;
  #kept: { readonly viewer: ViewerToken; readonly until: number } | undefined;

  constructor(client: Api, namespace: string, clock: Clock) {
    this.#request = () => requestViewerToken(client, namespace);
    this.#clock = clock;
  }

  async get(): Promise<ViewerToken> {
    if (this.#kept && this.#kept.until > this.#clock.now()) return this.#kept.viewer;
    const viewer = await this.#request();
    const lifeMs = viewer.token === undefined ? refusalMs : tokenMs;
    this.#kept = { viewer, until: this.#clock.now() + lifeMs };
    return viewer;
  }
}
