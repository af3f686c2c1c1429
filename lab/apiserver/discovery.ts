import { apiVersionOf, type Resource, resources } from './resources.ts';

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

const groups: readonly GroupVersion[] = [
  ...new Map(resources.map(({ group, version }) => [group, { group, version }])).values(),
].filter(({ group }) => group !== '');

/** Responses of the discovery API, which `kubectl` reads first. `undefined` for other paths. */
export function discovery(path: string): object | undefined {
  if (path === '/version')
    return {
      major: '1',
      minor: '32',
      gitVersion: 'v1.32.0',
      platform: 'linux/amd64',
      goVersion: '',
      compiler: '',
    };
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  if (path === '/apis')
    return {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: groups.map(({ group, version }) => ({
        name: group,
        versions: [{ groupVersion: `${group}/${version}`, version }],
        preferredVersion: { groupVersion: `${group}/${version}`, version },
      })),
    };
  if (path === '/openapi/v3')
    return {
      paths: Object.fromEntries(
        allGroups().map((at) => [prefix(at).slice(1), { serverRelativeURL: `/openapi/v3${prefix(at)}` }]),
      ),
    };
  for (const at of allGroups()) {
    if (path === prefix(at)) return resourceList(at);
    if (path === `/openapi/v3${prefix(at)}`) return openApi(at);
  }
  return undefined;
}

function allGroups(): readonly GroupVersion[] {
  return [{ group: '', version: 'v1' }, ...groups];
}

function prefix({ group, version }: GroupVersion): string {
  return group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
}

function of({ group, version }: GroupVersion): Resource[] {
  return resources.filter((resource) => resource.group === group && resource.version === version);
}

function resourceList(at: GroupVersion): object {
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(at as Resource),
    resources: of(at).flatMap(({ plural, singular, kind, namespaced, shortNames, hasStatus }) => [
      {
        name: plural,
        singularName: singular,
        namespaced,
        kind,
        verbs,
        ...(shortNames ? { shortNames } : {}),
        categories: ['pods', 'services'].includes(plural) ? ['all'] : [],
      },
      ...(hasStatus
        ? [
            {
              name: `${plural}/status`,
              singularName: '',
              namespaced,
              kind,
              verbs: ['get', 'patch', 'update'],
            },
          ]
        : []),
    ]),
  };
}

/**
 * The smallest OpenAPI document that satisfies `kubectl apply`. It says for each kind that PATCH supports `fieldValidation` and `dryRun`.
 */
function openApi(at: GroupVersion): object {
  const parameters = ['fieldValidation', 'dryRun'].map((name) => ({
    name,
    in: 'query',
    schema: { type: 'string' },
  }));
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.32.0' },
    paths: Object.fromEntries(
      of(at).map(({ group, version, kind, plural, namespaced }) => [
        `${prefix(at)}/${namespaced ? 'namespaces/{namespace}/' : ''}${plural}/{name}`,
        {
          patch: {
            operationId: `patch${kind}`,
            parameters,
            responses: {},
            'x-kubernetes-action': 'patch',
            'x-kubernetes-group-version-kind': { group, version, kind },
          },
        },
      ]),
    ),
    components: { schemas: {} },
  };
}
