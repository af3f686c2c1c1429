/**
 * `bellman status` and `bellman explain` in a Pod of the controller or of a speaker. The server refuses each request that the roles of the
 * manifests do not allow.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadAll } from 'js-yaml';
import { collectFacts } from '../../../src/cli/explain/collect.ts';
import { collectStatus } from '../../../src/cli/status/collect.ts';
import { systemClock } from '../../../src/clock.ts';

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: readonly Rule[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly name: string }[];
}

const folder = mkdtempSync(join(tmpdir(), 'bellman-rights-'));
after(() => rmSync(folder, { recursive: true }));
const manifests = fileURLToPath(new URL('../../../manifests', import.meta.url));
const rendered = loadAll(
  execFileSync('kubectl', ['kustomize', manifests], { encoding: 'utf8' }),
) as Manifest[];

/** The rules of all roles that are bound to the ServiceAccount. All roles that belong to a namespace are in `bellman-system`. */
function rulesOf(account: string): {
  readonly cluster: readonly Rule[];
  readonly namespace: readonly Rule[];
} {
  const bound = (binding: string, kind: string) =>
    rendered
      .filter((each) => each.kind === binding && each.subjects?.some(({ name }) => name === account))
      .flatMap(({ roleRef }) =>
        rendered.filter((each) => each.kind === kind && each.metadata.name === roleRef?.name),
      )
      .flatMap(({ rules = [] }) => rules);
  return { cluster: bound('ClusterRoleBinding', 'ClusterRole'), namespace: bound('RoleBinding', 'Role') };
}

const namedPath =
  /^\/(?:api\/v1|apis\/([^/]+)\/[^/]+)(?:\/namespaces\/([^/?]+))?\/([^/?]+)(?:\/([^/?]+))?(?:\/([^/?]+))?/;

/** Whether the rules allow the request. */
function isAllowed(account: string, { method, url = '' }: IncomingMessage): boolean {
  const [, group = '', namespace, resource = '', name, subresource] = namedPath.exec(url) ?? [];
  const verb = method === 'POST' ? 'create' : name === undefined ? 'list' : 'get';
  const wanted = subresource === undefined ? resource : `${resource}/${subresource}`;
  const rules = rulesOf(account);
  return [...rules.cluster, ...(namespace === 'bellman-system' ? rules.namespace : [])].some(
    ({ apiGroups = [], resources = [], resourceNames, verbs }) =>
      apiGroups.includes(group) &&
      resources.includes(wanted) &&
      verbs.includes(verb) &&
      (resourceNames === undefined || resourceNames.includes(name ?? '')),
  );
}

const holder = 'controller-abc_uuid';

function bodyOf(url: string): object | undefined {
  if (url.endsWith('/token')) return { status: { token: 'for the viewer' } };
  if (url.endsWith('/leases/bellman-controller')) return { spec: { holderIdentity: holder } };
  if (url.endsWith('/pods/controller-abc')) return { status: { podIPs: [] } };
  if (url.startsWith('/api/v1/nodes')) return { items: [{ metadata: { name: 'node-1' } }] };
  if (/\/namespaces\/default\/services\?/.test(url))
    return { items: [{ metadata: { namespace: 'default', name: 'web' }, spec: { type: 'LoadBalancer' } }] };
  if (/\/endpointslices\?labelSelector=kubernetes.io%2Fservice-name%3Dweb$/.test(url)) return { items: [] };
  if (/\/(services|events|namespaces|servicecidrs)(\?|$)/.test(url)) return { items: [] };
  if (/\/configmaps\/(config|bellman-accepted-config)$/.test(url))
    return { metadata: { namespace: 'bellman-system', name: url.split('/').at(-1) } };
  return undefined;
}

for (const account of ['controller', 'speaker'])
  test(`collectStatus() and collectFacts() read all that they need with the rights of the ServiceAccount ${account}`, async () => {
    const refused: string[] = [];
    const server = createServer((request, response) => {
      const { url = '' } = request;
      if (!isAllowed(account, request)) {
        refused.push(url);
        response.writeHead(403).end('{}');
        return;
      }
      const body = bodyOf(url);
      response.writeHead(body ? 200 : 404).end(JSON.stringify(body ?? {}));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const kubeconfig = join(folder, account);
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        'current-context': 'c',
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
        clusters: [
          { name: 'c', cluster: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } },
        ],
        users: [{ name: 'u', user: { token: 'secret' } }],
      }),
    );
    try {
      const source = {
        ...{ kubeconfig, namespace: 'bellman-system', speakerPort: 7472, controllerPort: 7471 },
        clock: systemClock,
      };
      const view = await collectStatus(source);
      const facts = await collectFacts({ kind: 'service', namespace: 'default', name: 'web' }, source);
      assert.deepEqual([facts.service?.name, facts.slices, facts.nodes.length], ['web', [], 1]);
      assert.deepEqual(
        [view.configMap?.name, view.acceptedCopy?.name],
        ['config', 'bellman-accepted-config'],
      );
      assert.equal(view.lease?.holder, holder);
      assert.deepEqual(
        view.speakers.map(({ node }) => node),
        ['node-1'],
      );
      assert.equal(view.viewerProblem, undefined);
      // These requests may be refused. The leader itself says why a Service waits, so the events are only a substitute. A speaker may not read
      // Namespaces and ServiceCIDRs. In its Pod, the command takes the warnings that need these objects from the ConfigMap, where the
      // controller has written them.
      const optional = account === 'speaker' ? /\/(events|namespaces|servicecidrs)(\?|$)/ : /\/events\?/;
      assert.deepEqual(
        refused.filter((url) => !optional.test(url)),
        [],
      );
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
