/** The rights that the manifests grant to ServiceAccounts, and their uses in an audit log. */
import { type AuditEvent, isFirstOfRequest, resourceOf } from './audit-log.ts';

/** One right of one account. */
export interface Grant {
  /** `NAMESPACE/NAME` of the ServiceAccount. */
  readonly account: string;
  readonly verb: string;
  /** With its group, if it has one: `leases.coordination.k8s.io`. A path outside the API begins with a slash. */
  readonly resource: string;
  /** The objects that the right is limited to; empty for all. */
  readonly names: readonly string[];
  /** The namespace that the right is limited to; absent for a right to all namespaces. */
  readonly namespace?: string;
}

/** The fields of RBAC objects that matter here. Objects of other kinds are ignored. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly {
    readonly apiGroups?: readonly string[];
    readonly resources?: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly nonResourceURLs?: readonly string[];
    readonly verbs: readonly string[];
  }[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly {
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
  }[];
}

/** Rules of built-in ClusterRoles, by name. The manifests bind these roles but do not contain their rules. */
const builtIn: Readonly<Record<string, Manifest['rules']>> = {
  'system:auth-delegator': [
    { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
    { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
  ],
};

/** Throws for a binding to a role that neither the manifests nor `builtIn` have. */
export function grantsOf(manifests: readonly Manifest[]): readonly Grant[] {
  return manifests.flatMap(({ metadata, roleRef, subjects = [] }) => {
    if (!roleRef) return [];
    const limit = metadata.namespace === undefined ? {} : { namespace: metadata.namespace };
    const role = manifests.find(
      ({ kind, metadata: { name, namespace } }) =>
        kind === roleRef.kind &&
        name === roleRef.name &&
        (kind === 'ClusterRole' || namespace === metadata.namespace),
    );
    const rules = role?.rules ?? builtIn[roleRef.name];
    if (!rules)
      throw new Error(`${metadata.name} binds ${roleRef.kind} ${roleRef.name}, whose rules are unknown`);
    return subjects.flatMap(({ namespace = '', name }) =>
      rules.flatMap((rule) => {
        const { apiGroups = [''], resources = [], nonResourceURLs = [], resourceNames: names = [] } = rule;
        const full = apiGroups.flatMap((group) => resources.map((resource) => qualified(resource, group)));
        return [...full, ...nonResourceURLs].flatMap((resource) =>
          rule.verbs.map((verb) => ({ account: `${namespace}/${name}`, verb, resource, names, ...limit })),
        );
      }),
    );
  });
}

/** One request: the fields that decide whether a right allows it. */
export interface Use {
  readonly account: string;
  readonly verb: string;
  readonly resource: string;
  readonly name: string | undefined;
  /** `undefined` for a request to all namespaces, and for objects outside namespaces. */
  readonly namespace: string | undefined;
}

/**
 * The uses of rights that an event shows. A daemon of Bellman sends a SubjectAccessReview to ask whether a client may read one of the URL paths that
 * the daemon serves, such as `/status`. A review with the answer yes is a use of the client's right to that path.
 */
export function usesIn(event: AuditEvent): readonly Use[] {
  const resource = resourceOf(event);
  const { code = 0 } = event.responseStatus ?? {};
  if (resource === undefined || !isFirstOfRequest(event) || code === 401 || code === 403) return [];
  const own = {
    account: accountOf(event.user.username),
    verb: event.verb,
    resource: qualified(resource, event.objectRef?.apiGroup ?? ''),
    name: event.objectRef?.name,
    namespace: event.objectRef?.namespace,
  };
  if (resource !== 'subjectaccessreviews') return [own];
  const { spec, status } = (event.responseObject ?? {}) as {
    readonly spec?: {
      readonly user?: string;
      readonly nonResourceAttributes?: { readonly path?: string; readonly verb?: string };
    };
    readonly status?: { readonly allowed?: boolean };
  };
  const { path = '', verb = '' } = spec?.nonResourceAttributes ?? {};
  return status?.allowed === true
    ? [
        own,
        { account: accountOf(spec?.user ?? ''), verb, resource: path, name: undefined, namespace: undefined },
      ]
    : [own];
}

/** `NAMESPACE/NAME` of a ServiceAccount's user name; other names stay as they are. */
export function accountOf(username = ''): string {
  return username.replace(/^system:serviceaccount:([^:]+):([^:]+)$/, '$1/$2');
}

/**
 * Whether the grant allows the use. A request that creates an object has no name in its path. A right that is limited to names therefore does not
 * allow it.
 */
export function allows(grant: Grant, use: Use): boolean {
  const matches = grant.resource.endsWith('/*')
    ? use.resource.startsWith(grant.resource.slice(0, -1))
    : grant.resource === use.resource;
  const isNamed = grant.names.length === 0 || (use.name !== undefined && grant.names.includes(use.name));
  const isInNamespace = grant.namespace === undefined || grant.namespace === use.namespace;
  return grant.account === use.account && grant.verb === use.verb && matches && isNamed && isInNamespace;
}

/** The rights that allowed the use. A right to all namespaces is one of them only if no right to the request's own namespace allows it. */
export function rightsUsed(grants: readonly Grant[], use: Use): readonly Grant[] {
  const allowing = grants.filter((grant) => allows(grant, use));
  const narrow = allowing.filter(({ namespace }) => namespace !== undefined);
  return narrow.length > 0 ? narrow : allowing;
}

function qualified(resource: string, group: string): string {
  const [plural, ...subresource] = resource.split('/');
  return [group === '' ? plural : `${plural}.${group}`, ...subresource].join('/');
}
