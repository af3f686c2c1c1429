/**
 * Asks the API server about a bearer token that a client presented. A TokenReview (authentication.k8s.io/v1) says which user the token
 * belongs to. A SubjectAccessReview (authorization.k8s.io/v1) says whether RBAC grants that user access to a non-resource path.
 */
import type { Clock } from '../clock.ts';
import { AccessControl } from '../telemetry/access.ts';
import type { Api } from './api.ts';
import { ApiError } from './api-error.ts';

/** The user of a token, as the API server knows it. */
interface TokenUser {
  readonly username?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly user?: TokenUser;
    readonly audiences?: readonly string[];
  };
}

interface SubjectAccessReview {
  readonly status?: { readonly allowed?: boolean };
}

export type TokenVerdict = 'allowed' | 'unauthenticated' | 'forbidden';

/**
 * Judges a GET of `path` with the token. The token must be issued for `audience`. If such a token leaks, it opens nothing else.
 * Rejects with ApiError when the API server cannot be asked.
 */
export async function judgeToken(
  client: Api,
  token: string,
  audience: string,
  path: string,
): Promise<TokenVerdict> {
  const { status: review } = await client.request<TokenReview>({
    method: 'POST',
    timeoutMs: reviewTimeoutMs,
    path: '/apis/authentication.k8s.io/v1/tokenreviews',
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences: [audience] },
    },
  });
  const isMeantForUs = review?.audiences?.includes(audience) === true;
  if (review?.authenticated !== true || !isMeantForUs) return 'unauthenticated';
  const { username, uid, groups, extra } = review.user ?? {};
  const { status: access } = await client.request<SubjectAccessReview>({
    method: 'POST',
    timeoutMs: reviewTimeoutMs,
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user: username, uid, groups, extra, nonResourceAttributes: { path, verb: 'get' } },
    },
  });
  return access?.allowed === true ? 'allowed' : 'forbidden';
}

/**
 * Time limit of each of the two requests. When the API server is silent, a client such as `httpGet` learns this from the answer of this process
 * before it gives up after 1.5 s.
 */
const reviewTimeoutMs = 600;

/** Access control by tokens of one audience. */
export function accessByToken(client: Api, clock: Clock, audience: string): AccessControl {
  return new AccessControl({
    clock,
    isRefusal: (error) => error instanceof ApiError && error.status > 0,
    judge: async (token, path) => {
      if (!client.reachability.isAnswering) throw new Error('the API server does not answer');
      return judgeToken(client, token, audience, path);
    },
  });
}
