/**
 * A small model of ServiceAccount tokens: TokenRequest issues one and TokenReview recognises it. SubjectAccessReview lets the ServiceAccounts
 * `viewer` and `capturer` of `bellman-system` read the paths that the manifests allow. SelfSubjectAccessReview grants everything, because this server
 * does not limit access to resources. A token is valid as long as the server runs.
 */
import { randomBytes } from 'node:crypto';
import { notFound } from './problem.ts';
import { field } from './resources.ts';

interface Issued {
  readonly username: string;
  readonly audiences: readonly string[];
}

/** The audience of the API server itself. */
const defaultAudience = 'https://kubernetes.default.svc';
const reviewsPath = '/apis/authentication.k8s.io/v1/tokenreviews';
const accessPath = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
const ownAccessPath = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const tokenPath = /^\/api\/v1\/namespaces\/([^/]+)\/serviceaccounts\/([^/]+)\/token$/;
const account = (name: string) => `system:serviceaccount:bellman-system:${name}`;
/** The paths that an account may read. */
const readable: readonly (readonly [account: string, paths: RegExp])[] = [
  [account('viewer'), /^\/(status$|page$|debug\/)/],
  [account('capturer'), /^\/capture$/],
];

export class Authentication {
  readonly #issued = new Map<string, Issued>();

  static serves(path: string): boolean {
    return [reviewsPath, accessPath, ownAccessPath].includes(path) || tokenPath.test(path);
  }

  /** Answers a POST to a path for which `serves` returns true. `exists` says whether there is such a ServiceAccount. */
  answer(path: string, body: unknown, exists: (namespace: string, name: string) => boolean): object {
    if (path === reviewsPath) return this.#review(body);
    if (path === accessPath) return authorize(body);
    if (path === ownAccessPath) return accessReview('SelfSubjectAccessReview', true);
    const [, namespace = '', name = ''] = tokenPath.exec(path) ?? [];
    if (!exists(namespace, name)) throw notFound('serviceaccounts', name);
    return this.#issue(namespace, name, body);
  }

  #issue(namespace: string, name: string, body: unknown): object {
    const audiences = (field(body, 'spec', 'audiences') ?? [defaultAudience]) as readonly string[];
    const expirationSeconds = Number(field(body, 'spec', 'expirationSeconds') ?? 3600);
    const token = randomBytes(24).toString('base64url');
    this.#issued.set(token, { username: `system:serviceaccount:${namespace}:${name}`, audiences });
    return {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { name, namespace },
      spec: { audiences, expirationSeconds, boundObjectRef: field(body, 'spec', 'boundObjectRef') ?? null },
      status: { token },
    };
  }

  #review(body: unknown): object {
    const issued = this.#issued.get(String(field(body, 'spec', 'token')));
    const wanted = field(body, 'spec', 'audiences');
    const audiences =
      issued?.audiences.filter((each) => Array.isArray(wanted) && wanted.includes(each)) ?? [];
    const status =
      issued && audiences.length > 0
        ? { authenticated: true, audiences, user: { username: issued.username } }
        : { user: {}, error: 'invalid bearer token' };
    return { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', status };
  }
}

function authorize(body: unknown): object {
  const path = String(field(body, 'spec', 'nonResourceAttributes', 'path'));
  const user = String(field(body, 'spec', 'user'));
  const allowed = readable.some(([account, paths]) => account === user && paths.test(path));
  return accessReview('SubjectAccessReview', allowed);
}

function accessReview(kind: string, allowed: boolean): object {
  return { apiVersion: 'authorization.k8s.io/v1', kind, status: { allowed } };
}
