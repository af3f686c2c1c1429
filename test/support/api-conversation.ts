/**
 * A conversation with an API server: requests of the kinds that Bellman, its lab and its users send. Two servers that give the same answers
 * look alike to all of them.
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** How to reach a server as a user who may do everything. */
export interface ServerAccess {
  readonly url: string;
  /** PEM; empty for plain HTTP. */
  readonly certificate: string;
  readonly token: string;
}

export interface Answer {
  readonly code: number;
  /** Parsed JSON. */
  readonly body: unknown;
}

const json = 'application/json';
const merge = 'application/merge-patch+json';
const strategic = 'application/strategic-merge-patch+json';
const jsonPatch = 'application/json-patch+json';
const apply = 'application/apply-patch+yaml';

export type Ask = (
  name: string,
  method: string,
  path: string,
  body?: unknown,
  contentType?: string,
) => Promise<Answer>;

interface Versioned {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
}

/** The resourceVersion of an answer. */
function versionOf({ body }: Answer): string {
  return (body as Versioned).metadata.resourceVersion;
}

/** Sends one request. */
export function send(
  { url, certificate, token }: ServerAccess,
  method: string,
  path: string,
  body?: unknown,
  contentType = json,
): Promise<Answer> {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const options = {
      method,
      headers: {
        accept: json,
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...(text === undefined
          ? {}
          : { 'content-type': contentType, 'content-length': String(Buffer.byteLength(text)) }),
      },
    };
    const target = `${url}${path}`;
    const request = url.startsWith('https:')
      ? httpsRequest(target, { ...options, ca: certificate })
      : httpRequest(target, options);
    request.on('error', reject);
    request.on('response', (response) => {
      let answer = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        answer += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        let parsed: unknown = answer;
        try {
          parsed = JSON.parse(answer);
        } catch {
          // Some errors are plain text.
        }
        resolve({ code: response.statusCode ?? 0, body: parsed });
      });
    });
    request.end(text);
  });
}

const core = '/api/v1/namespaces/default';
const services = `${core}/services`;
const configMaps = `${core}/configmaps`;
const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';

function loadBalancer(name: string, spec: object = {}): object {
  return { metadata: { name }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec } };
}

export const conversation: Readonly<Record<string, (ask: Ask) => Promise<void>>> = {
  async 'Services are created with defaults'(ask) {
    await ask('LoadBalancer', 'POST', services, loadBalancer('plain'));
    await ask('without type', 'POST', services, {
      metadata: { name: 'cluster' },
      spec: { ports: [{ port: 80 }] },
    });
    await ask(
      'prefers both families',
      'POST',
      services,
      loadBalancer('prefers', { ipFamilyPolicy: 'PreferDualStack' }),
    );
    await ask(
      'requires both families',
      'POST',
      services,
      loadBalancer('requires', { ipFamilyPolicy: 'RequireDualStack' }),
    );
    await ask('IPv6 only', 'POST', services, loadBalancer('six', { ipFamilies: ['IPv6'] }));
    await ask(
      'IPv6 first',
      'POST',
      services,
      loadBalancer('six-first', { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] }),
    );
    await ask(
      'two families without policy',
      'POST',
      services,
      loadBalancer('implied', { ipFamilies: ['IPv4', 'IPv6'] }),
    );
    await ask('policy Local', 'POST', services, loadBalancer('local', { externalTrafficPolicy: 'Local' }));
    await ask('headless', 'POST', services, {
      metadata: { name: 'headless' },
      spec: { clusterIP: 'None', ports: [{ port: 80 }] },
    });
    await ask('headless without ports', 'POST', services, {
      metadata: { name: 'portless' },
      spec: { clusterIP: 'None' },
    });
    await ask('ExternalName', 'POST', services, {
      metadata: { name: 'external' },
      spec: { type: 'ExternalName', externalName: 'example.com' },
    });
    await ask(
      'with a class',
      'POST',
      services,
      loadBalancer('classy', { loadBalancerClass: 'example.com/other' }),
    );
    await ask(
      'with an address and ranges',
      'POST',
      services,
      loadBalancer('asking', { loadBalancerIP: '192.0.2.1', loadBalancerSourceRanges: ['192.0.2.0/24'] }),
    );
    await ask(
      'named ports of two protocols',
      'POST',
      services,
      loadBalancer('dns', {
        ports: [
          { name: 'udp', port: 53, protocol: 'UDP', targetPort: 'dns' },
          { name: 'tcp', port: 53, targetPort: 5353 },
        ],
      }),
    );
    await ask(
      'without node ports',
      'POST',
      services,
      loadBalancer('no-node-ports', { allocateLoadBalancerNodePorts: false }),
    );
    await ask(
      'with session affinity',
      'POST',
      services,
      loadBalancer('sticky', { sessionAffinity: 'ClientIP' }),
    );
    await ask('status at creation', 'POST', services, {
      ...loadBalancer('early'),
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } },
    });
    await ask('generated name', 'POST', services, {
      metadata: { generateName: 'made-' },
      spec: { ports: [{ port: 80 }] },
    });
  },

  async 'Services that are refused'(ask) {
    await ask('no ports', 'POST', services, loadBalancer('bad', { ports: [] }));
    await ask('port 0', 'POST', services, loadBalancer('bad', { ports: [{ port: 0 }] }));
    await ask('port 65536', 'POST', services, loadBalancer('bad', { ports: [{ port: 65_536 }] }));
    await ask(
      'two ports without names',
      'POST',
      services,
      loadBalancer('bad', { ports: [{ port: 80 }, { port: 81 }] }),
    );
    await ask(
      'a port twice',
      'POST',
      services,
      loadBalancer('bad', {
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 80 },
        ],
      }),
    );
    await ask('unknown type', 'POST', services, loadBalancer('bad', { type: 'Balancer' }));
    await ask('unknown policy', 'POST', services, loadBalancer('bad', { externalTrafficPolicy: 'Near' }));
    await ask('unknown family policy', 'POST', services, loadBalancer('bad', { ipFamilyPolicy: 'Both' }));
    await ask('unknown family', 'POST', services, loadBalancer('bad', { ipFamilies: ['IPv5'] }));
    await ask(
      'unknown protocol',
      'POST',
      services,
      loadBalancer('bad', { ports: [{ port: 80, protocol: 'ICMP' }] }),
    );
    await ask('a name with a dot', 'POST', services, loadBalancer('a.b'));
    await ask('a name with a capital', 'POST', services, loadBalancer('Bad'));
    await ask('no name', 'POST', services, { metadata: {}, spec: { ports: [{ port: 80 }] } });
    await ask('ports of a wrong type', 'POST', services, loadBalancer('bad', { ports: 'many' }));
    await ask('annotation of a wrong type', 'POST', services, {
      ...loadBalancer('bad'),
      metadata: { name: 'bad', annotations: { a: 1 } },
    });
    await ask('annotation without a valid key', 'POST', services, {
      ...loadBalancer('bad'),
      metadata: { name: 'bad', annotations: { 'a b': 'c' } },
    });
    await ask('label of a wrong form', 'POST', services, {
      ...loadBalancer('bad'),
      metadata: { name: 'bad', labels: { a: 'b c' } },
    });
    await ask('invalid loadBalancerIP', 'POST', services, loadBalancer('bad', { loadBalancerIP: 'example' }));
    await ask(
      'malformed source ranges',
      'POST',
      services,
      loadBalancer('bad', { loadBalancerSourceRanges: ['all'] }),
    );
    await ask(
      'class on ClusterIP',
      'POST',
      services,
      loadBalancer('bad', { type: 'ClusterIP', loadBalancerClass: 'a/b' }),
    );
    await ask(
      'policy Local on ClusterIP',
      'POST',
      services,
      loadBalancer('bad', { type: 'ClusterIP', externalTrafficPolicy: 'Local' }),
    );
    await ask('exists', 'POST', services, loadBalancer('plain'));
    await ask('another namespace in the body', 'POST', services, {
      ...loadBalancer('bad'),
      metadata: { name: 'bad', namespace: 'other' },
    });
    await ask(
      'a namespace that does not exist',
      'POST',
      '/api/v1/namespaces/nowhere/services',
      loadBalancer('bad'),
    );
    await ask('a body that is no JSON', 'POST', services, '{');
    await ask('a body of another kind', 'POST', services, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'bad' },
    });
  },

  async 'the status of a Service'(ask) {
    const path = `${services}/plain`;
    const ingress = (...entries: object[]) => ({ status: { loadBalancer: { ingress: entries } } });
    const before = await ask('the Service', 'GET', path);
    await ask('an address gets its mode', 'PATCH', `${path}/status`, ingress({ ip: '198.51.100.1' }), merge);
    await ask(
      'an address with ports and mode',
      'PATCH',
      `${path}/status`,
      ingress({ ip: '198.51.100.1', ipMode: 'Proxy', ports: [{ port: 80, protocol: 'TCP' }] }),
      merge,
    );
    await ask(
      'two addresses',
      'PATCH',
      `${path}/status`,
      ingress({ ip: '198.51.100.1' }, { ip: '2001:db8::1' }),
      merge,
    );
    await ask('a hostname', 'PATCH', `${path}/status`, ingress({ hostname: 'example.com' }), merge);
    await ask(
      'annotations beside it',
      'PATCH',
      `${path}/status`,
      { metadata: { annotations: { 'bellman.dev/a': 'b' } }, ...ingress({ ip: '198.51.100.2' }) },
      merge,
    );
    await ask(
      'an annotation is removed',
      'PATCH',
      `${path}/status`,
      { metadata: { annotations: { 'bellman.dev/a': null } } },
      merge,
    );
    await ask(
      'the spec is ignored',
      'PATCH',
      `${path}/status`,
      { spec: { externalTrafficPolicy: 'Local' } },
      merge,
    );
    await ask(
      'an old version',
      'PATCH',
      `${path}/status`,
      { metadata: { resourceVersion: versionOf(before) }, ...ingress({ ip: '198.51.100.3' }) },
      merge,
    );
    await ask('leading zeros', 'PATCH', `${path}/status`, ingress({ ip: '198.51.100.009' }), merge);
    await ask('no address', 'PATCH', `${path}/status`, ingress({ ip: 'localhost' }), merge);
    await ask(
      'an unknown mode',
      'PATCH',
      `${path}/status`,
      ingress({ ip: '198.51.100.1', ipMode: 'Magic' }),
      merge,
    );
    await ask('neither address nor name', 'PATCH', `${path}/status`, ingress({}), merge);
    await ask(
      'on a Service of type ClusterIP',
      'PATCH',
      `${services}/cluster/status`,
      ingress({ ip: '198.51.100.1' }),
      merge,
    );
    await ask(
      'on a Service that does not exist',
      'PATCH',
      `${services}/nothing/status`,
      ingress({ ip: '198.51.100.1' }),
      merge,
    );
    await ask(
      'null removes it',
      'PATCH',
      `${path}/status`,
      { status: { loadBalancer: { ingress: null } } },
      merge,
    );
    await ask('a strategic patch', 'PATCH', `${path}/status`, ingress({ ip: '198.51.100.4' }), strategic);
    await ask('the main path ignores it', 'PATCH', path, ingress({ ip: '198.51.100.5' }), merge);
    const { body } = await ask('the Service before a PUT', 'GET', path);
    await ask('a PUT of the status', 'PUT', `${path}/status`, {
      ...(body as object),
      ...ingress({ ip: '198.51.100.6' }),
    });
  },

  async 'conditions of a Service by server-side apply'(ask) {
    const { body } = await ask('a Service', 'POST', services, loadBalancer('applied'));
    const { uid } = (body as { metadata: { uid: string } }).metadata;
    const path = `${services}/applied/status`;
    const condition = (type: string, status = 'True', over: object = {}) => ({
      ...{ type: `example.com/${type}`, status, reason: 'Lab', message: 'A text.' },
      lastTransitionTime: '2026-01-02T03:04:05Z',
      ...over,
    });
    const applied = (...conditions: object[]) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'applied', namespace: 'default', uid },
      status: conditions.length === 0 ? {} : { conditions },
    });
    const as = (manager: string) => `${path}?fieldManager=${manager}&force=true`;
    await ask('two conditions', 'PATCH', as('one'), applied(condition('A'), condition('B')), apply);
    await ask('one changes', 'PATCH', as('one'), applied(condition('B', 'False'), condition('A')), apply);
    await ask('of another owner', 'PATCH', as('two'), applied(condition('C', 'Unknown')), apply);
    await ask('one is left out', 'PATCH', as('one'), applied(condition('B', 'False')), apply);
    await ask(
      'an address beside them',
      'PATCH',
      path,
      { status: { loadBalancer: { ingress: [{ ip: '198.51.100.20' }] } } },
      merge,
    );
    await ask('all are left out', 'PATCH', as('one'), applied(), apply);
    await ask('nothing is left', 'PATCH', as('two'), applied(), apply);
    await ask('an unknown status', 'PATCH', as('one'), applied(condition('A', 'Perhaps')), apply);
    await ask(
      'a bad reason',
      'PATCH',
      as('one'),
      applied(condition('A', 'True', { reason: 'not camel' })),
      apply,
    );
    await ask('without an owner', 'PATCH', `${path}?force=true`, applied(condition('A')), apply);
    await ask(
      'another uid',
      'PATCH',
      as('one'),
      { ...applied(condition('A')), metadata: { name: 'applied', uid: '0' } },
      apply,
    );
    await ask('without a kind', 'PATCH', as('one'), { metadata: { name: 'applied' }, status: {} }, apply);
    const absent = (metadata: object) => ({
      ...applied(condition('A')),
      metadata: { name: 'absent', ...metadata },
    });
    const absentPath = as('one').replace('applied', 'absent');
    await ask('a Service that is gone', 'PATCH', absentPath, absent({ uid }), apply);
    await ask(
      'a Service that does not exist',
      'PATCH',
      as('one').replace('applied', 'absent'),
      { ...applied(condition('A')), metadata: { name: 'absent' } },
      apply,
    );
    await ask('in the end', 'GET', `${services}/applied`);
    const change = { spec: { type: 'ClusterIP' } };
    await ask('type ClusterIP keeps the conditions', 'PATCH', `${services}/applied`, change, merge);
  },

  async 'changes of a Service'(ask) {
    const path = `${services}/plain`;
    await ask('another policy', 'PATCH', path, { spec: { externalTrafficPolicy: 'Local' } }, merge);
    await ask(
      'back to the first policy',
      'PATCH',
      path,
      { spec: { externalTrafficPolicy: 'Cluster' } },
      merge,
    );
    await ask('a second family', 'PATCH', path, { spec: { ipFamilyPolicy: 'RequireDualStack' } }, merge);
    await ask('one family again', 'PATCH', path, { spec: { ipFamilyPolicy: 'SingleStack' } }, merge);
    await ask('another first family', 'PATCH', path, { spec: { ipFamilies: ['IPv6'] } }, merge);
    await ask('a class', 'PATCH', path, { spec: { loadBalancerClass: 'a/b' } }, merge);
    await ask('another port', 'PATCH', path, { spec: { ports: [{ port: 8080 }] } }, merge);
    await ask(
      'a port by a strategic patch',
      'PATCH',
      path,
      {
        spec: {
          ports: [
            { name: 'more', port: 81 },
            { name: 'one', port: 8080 },
          ],
        },
      },
      strategic,
    );
    await ask(
      'an annotation by a JSON patch',
      'PATCH',
      path,
      [{ op: 'add', path: '/metadata/annotations', value: { x: 'y' } }],
      jsonPatch,
    );
    await ask(
      'a JSON patch whose test fails',
      'PATCH',
      path,
      [{ op: 'test', path: '/metadata/annotations/x', value: 'z' }],
      jsonPatch,
    );
    await ask('type ClusterIP clears the status', 'PATCH', path, { spec: { type: 'ClusterIP' } }, merge);
    await ask('type LoadBalancer again', 'PATCH', path, { spec: { type: 'LoadBalancer' } }, merge);
    await ask(
      'a dry run',
      'PATCH',
      `${path}?dryRun=All`,
      { metadata: { annotations: { dry: 'run' } } },
      merge,
    );
    const { body } = await ask('after the dry run', 'GET', path);
    await ask('a PUT of what is there', 'PUT', path, body);
    await ask('a PUT with another name', 'PUT', path, { ...(body as object), metadata: { name: 'other' } });
    await ask('a PUT of what does not exist', 'PUT', `${services}/nothing`, loadBalancer('nothing'));
    await ask('a patch of an unknown type', 'PATCH', path, {}, 'application/yaml');
    await ask('a deletion in a dry run', 'DELETE', `${path}?dryRun=All`);
    await ask('a deletion with another uid', 'DELETE', path, { preconditions: { uid: 'other' } });
    await ask('a finalizer', 'PATCH', path, { metadata: { finalizers: ['bellman.dev/test'] } }, merge);
    await ask('a deletion that waits for it', 'DELETE', path);
    await ask('the waiting Service', 'GET', path);
    await ask('the end of the finalizer', 'PATCH', path, { metadata: { finalizers: null } }, merge);
    await ask('the Service is gone', 'GET', path);
    await ask('a deletion', 'DELETE', `${services}/cluster`);
    await ask('a second deletion', 'DELETE', `${services}/cluster`);
  },

  async ConfigMaps(ask) {
    await ask('create', 'POST', configMaps, { metadata: { name: 'config' }, data: { config: 'text' } });
    await ask('create a second time', 'POST', configMaps, { metadata: { name: 'config' } });
    const first = await ask(
      'annotate',
      'PATCH',
      `${configMaps}/config`,
      { metadata: { annotations: { a: 'b' } } },
      merge,
    );
    await ask(
      'annotate with the same',
      'PATCH',
      `${configMaps}/config`,
      { metadata: { annotations: { a: 'b' } } },
      merge,
    );
    await ask(
      'annotate another',
      'PATCH',
      `${configMaps}/config`,
      { metadata: { annotations: { c: 'd' } } },
      merge,
    );
    await ask(
      'annotate an old version',
      'PATCH',
      `${configMaps}/config`,
      { metadata: { resourceVersion: versionOf(first), annotations: { e: 'f' } } },
      merge,
    );
    await ask('data of a wrong type', 'PATCH', `${configMaps}/config`, { data: { config: 1 } }, merge);
    await ask('a key with a slash', 'PATCH', `${configMaps}/config`, { data: { 'a/b': 'c' } }, merge);
    await ask(
      'annotations of 257 KiB',
      'PATCH',
      `${configMaps}/config`,
      { metadata: { annotations: { long: 'x'.repeat(257 * 1024) } } },
      merge,
    );
    await ask(
      'data of 1.2 MB',
      'PATCH',
      `${configMaps}/config`,
      { data: { long: 'x'.repeat(1_200_000) } },
      merge,
    );
    await ask('a missing one', 'GET', `${configMaps}/missing`);
    await ask('delete', 'DELETE', `${configMaps}/config`);
  },

  async Leases(ask) {
    const lease = (spec: object, metadata: object = {}) => ({
      metadata: { name: 'leader', ...metadata },
      spec,
    });
    const times = { acquireTime: '2026-01-02T03:04:05.678901Z', renewTime: '2026-01-02T03:04:05.678901Z' };
    const spec = { holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 1, ...times };
    const created = await ask('create', 'POST', leases, lease(spec));
    const resourceVersion = versionOf(created);
    await ask(
      'renew',
      'PUT',
      `${leases}/leader`,
      lease({ ...spec, holderIdentity: 'b' }, { resourceVersion }),
    );
    await ask('renew an old version', 'PUT', `${leases}/leader`, lease(spec, { resourceVersion }));
    await ask('renew without a version', 'PUT', `${leases}/leader`, lease(spec));
    await ask('renew one that does not exist', 'PUT', `${leases}/nobody`, {
      ...lease(spec, { resourceVersion }),
      metadata: { name: 'nobody', resourceVersion },
    });
    await ask('a duration of 0', 'POST', leases, {
      ...lease({ ...spec, leaseDurationSeconds: 0 }),
      metadata: { name: 'other' },
    });
    await ask('a time without a fraction', 'POST', leases, {
      ...lease({ ...spec, renewTime: '2026-01-02T03:04:05Z' }),
      metadata: { name: 'other' },
    });
    await ask('a malformed time', 'POST', leases, {
      ...lease({ ...spec, renewTime: 'now' }),
      metadata: { name: 'third' },
    });
  },

  async Events(ask) {
    const event = (name: string, changes: object = {}) => ({
      metadata: { name, namespace: 'default' },
      involvedObject: { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web', uid: 'u' },
      type: 'Normal',
      reason: 'Tested',
      message: 'a message',
      count: 1,
      firstTimestamp: '2026-01-02T03:04:05Z',
      lastTimestamp: '2026-01-02T03:04:05Z',
      source: { component: 'test' },
      ...changes,
    });
    const path = `${core}/events`;
    await ask('create', 'POST', path, event('web.1'));
    await ask(
      'count up',
      'PATCH',
      `${path}/web.1`,
      { count: 2, lastTimestamp: '2026-01-02T03:05:05Z' },
      merge,
    );
    await ask(
      'of an object in another namespace',
      'POST',
      path,
      event('web.2', { involvedObject: { kind: 'Service', namespace: 'kube-system', name: 'web' } }),
    );
    await ask(
      'of an object without a namespace',
      'POST',
      path,
      event('web.3', { involvedObject: { kind: 'Node', name: 'node-1' } }),
    );
    await ask('of an unknown type', 'POST', path, event('web.4', { type: 'Odd' }));
    await ask('by the other API', 'GET', '/apis/events.k8s.io/v1/namespaces/default/events/web.1');
    await ask('a missing one', 'GET', `${path}/none`);
    await ask(
      'by reason',
      'GET',
      `${path}?fieldSelector=reason%3DTested,involvedObject.name%3Dweb,type%3DNormal`,
    );
  },

  async 'Events of events.k8s.io'(ask) {
    const path = '/apis/events.k8s.io/v1/namespaces/default/events';
    const web = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web', uid: 'u' };
    const event = (name: string, over: object = {}) => ({
      metadata: { name, namespace: 'default' },
      eventTime: '2026-01-02T03:04:05.000000Z',
      ...{ reportingController: 'example.com/lab', reportingInstance: 'host', action: 'Test' },
      ...{ regarding: web, type: 'Normal', reason: 'Seen', note: 'a text' },
      ...over,
    });
    const series = (count: number) => ({
      series: { count, lastObservedTime: '2026-01-02T03:05:05.000000Z' },
    });
    await ask('create', 'POST', path, event('new.1'));
    await ask('create twice', 'POST', path, event('new.1'));
    await ask('a series', 'PATCH', `${path}/new.1`, series(2), merge);
    await ask('a longer series', 'PATCH', `${path}/new.1`, series(3), merge);
    await ask('a series of one', 'PATCH', `${path}/new.1`, series(1), merge);
    await ask('another note', 'PATCH', `${path}/new.1`, { note: 'other' }, merge);
    await ask('read', 'GET', `${path}/new.1`);
    await ask('by the older API', 'GET', `${core}/events/new.1`);
    await ask('by reason', 'GET', `${core}/events?fieldSelector=reason%3DSeen`);
    await ask('of a Node', 'POST', path, event('new.2', { regarding: { kind: 'Node', name: 'node-1' } }));
    await ask('without a time', 'POST', path, event('new.3', { eventTime: undefined }));
    await ask('without an action', 'POST', path, event('new.4', { action: undefined }));
    await ask('without a reporter', 'POST', path, event('new.5', { reportingController: undefined }));
    await ask('without an instance', 'POST', path, event('new.6', { reportingInstance: undefined }));
    await ask('of an unknown type', 'POST', path, event('new.7', { type: 'Odd' }));
    await ask('with a long note', 'POST', path, event('new.8', { note: 'x'.repeat(1025) }));
    await ask(
      'in another namespace',
      'POST',
      path,
      event('new.9', { regarding: { ...web, namespace: 'kube-system' } }),
    );
    await ask('without microseconds', 'POST', path, event('new.10', { eventTime: '2026-01-02T03:04:05Z' }));
  },

  async 'Secrets, Namespaces and ServiceAccounts'(ask) {
    const path = `${core}/secrets`;
    await ask('a Secret with text', 'POST', path, { metadata: { name: 'a' }, stringData: { password: 'x' } });
    await ask('a Secret with data that is no base64', 'POST', path, {
      metadata: { name: 'b' },
      data: { password: '%' },
    });
    await ask('another type', 'PATCH', `${path}/a`, { type: 'example.com/other' }, merge);
    await ask('an immutable Secret', 'PATCH', `${path}/a`, { immutable: true }, merge);
    await ask('new data in it', 'PATCH', `${path}/a`, { data: { password: 'eQ==' } }, merge);
    await ask('a Namespace', 'POST', '/api/v1/namespaces', { metadata: { name: 'made' } });
    await ask('a Namespace with a dot', 'POST', '/api/v1/namespaces', { metadata: { name: 'made.up' } });
    await ask('the Namespace default', 'GET', '/api/v1/namespaces/default');
    await ask('an object in the new Namespace', 'POST', '/api/v1/namespaces/made/configmaps', {
      metadata: { name: 'inside' },
    });
    await ask('a ServiceAccount', 'POST', `${core}/serviceaccounts`, { metadata: { name: 'made' } });
    await ask('a token without audience', 'POST', `${core}/serviceaccounts/made/token`, { spec: {} });
    await ask('a token of an account that does not exist', 'POST', `${core}/serviceaccounts/none/token`, {
      spec: { audiences: ['a'] },
    });
    const { body } = await ask('a token', 'POST', `${core}/serviceaccounts/made/token`, {
      spec: { audiences: ['a'] },
    });
    const { token } = (body as { status: { token: string } }).status;
    const reviews = '/apis/authentication.k8s.io/v1/tokenreviews';
    await ask('the review of the token', 'POST', reviews, { spec: { token, audiences: ['a'] } });
    await ask('the review for another audience', 'POST', reviews, { spec: { token, audiences: ['b'] } });
    await ask('the review of a made-up token', 'POST', reviews, {
      spec: { token: 'made-up', audiences: ['a'] },
    });
    const access = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
    const nonResourceAttributes = { path: '/status', verb: 'get' };
    await ask('whether the viewer may read /status', 'POST', access, {
      spec: { user: 'system:serviceaccount:bellman-system:viewer', nonResourceAttributes },
    });
    await ask('whether another account may', 'POST', access, {
      spec: { user: 'system:serviceaccount:default:made', nonResourceAttributes },
    });
  },

  async 'Nodes and Pods'(ask) {
    const ready = { type: 'Ready', status: 'True', reason: 'Lab' };
    await ask('a Node with its status', 'POST', '/api/v1/nodes', {
      metadata: { name: 'node-a' },
      status: { conditions: [ready], addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
    });
    await ask(
      'the status of a Node',
      'PATCH',
      '/api/v1/nodes/node-a/status',
      { status: { conditions: [{ ...ready, status: 'False' }] } },
      merge,
    );
    await ask('a cordon', 'PATCH', '/api/v1/nodes/node-a', { spec: { unschedulable: true } }, strategic);
    await ask('a label', 'PATCH', '/api/v1/nodes/node-a', { metadata: { labels: { a: 'b' } } }, merge);
    const pods = `${core}/pods`;
    const pod = (name: string, spec: object = {}) => ({
      metadata: { name, labels: { app: 'a' } },
      spec: {
        nodeName: 'node-a',
        containers: [{ name: 'a', image: 'a' }],
        terminationGracePeriodSeconds: 0,
        ...spec,
      },
    });
    await ask('a Pod without containers', 'POST', pods, pod('bad', { containers: [] }));
    await ask('a Pod without an image', 'POST', pods, pod('bad', { containers: [{ name: 'a' }] }));
    await ask('a Pod with its status', 'POST', pods, {
      ...pod('good'),
      status: { phase: 'Running', podIP: '10.0.0.1' },
    });
    await ask(
      'the status of a Pod',
      'PATCH',
      `${pods}/good/status`,
      {
        status: {
          phase: 'Running',
          podIP: '10.0.0.1',
          podIPs: [{ ip: '10.0.0.1' }],
          conditions: [{ type: 'Ready', status: 'True' }],
        },
      },
      merge,
    );
    await ask('Pods of a node', 'GET', `${pods}?fieldSelector=spec.nodeName%3Dnode-a`);
    await ask('Pods of another node', 'GET', `${pods}?fieldSelector=spec.nodeName%3Dnode-b`);
    await ask('a deletion of a Pod', 'DELETE', `${pods}/good`);
    await ask('the Pod is gone', 'GET', `${pods}/good`);
    await ask('a deletion of a Node', 'DELETE', '/api/v1/nodes/node-a');
  },

  async EndpointSlices(ask) {
    const slice = (name: string, changes: object = {}) => ({
      metadata: { name, labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ name: '', port: 80, protocol: 'TCP' }],
      endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true }, nodeName: 'node-a' }],
      ...changes,
    });
    await ask('create', 'POST', slices, slice('web-1'));
    await ask(
      'an address of another type',
      'POST',
      slices,
      slice('web-2', { endpoints: [{ addresses: ['2001:db8::1'] }] }),
    );
    await ask('an unknown address type', 'POST', slices, slice('web-2', { addressType: 'MAC' }));
    await ask('without endpoints', 'POST', slices, slice('web-3', { endpoints: [] }));
    await ask('another address type', 'PATCH', `${slices}/web-1`, { addressType: 'IPv6' }, merge);
    await ask(
      'another endpoint',
      'PATCH',
      `${slices}/web-1`,
      {
        endpoints: [
          { addresses: ['10.0.0.2'], conditions: { ready: false, serving: true, terminating: true } },
        ],
      },
      merge,
    );
  },

  async lists(ask) {
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      await ask(`create ${name}`, 'POST', configMaps, {
        metadata: { name: `list-${name}`, labels: { list: name < 'd' ? 'low' : 'high' } },
      });
    const page = await ask('the first page', 'GET', `${configMaps}?limit=2&labelSelector=list`);
    const { continue: token = '' } = (page.body as Versioned).metadata;
    await ask(
      'the second page',
      'GET',
      `${configMaps}?limit=2&labelSelector=list&continue=${encodeURIComponent(token)}`,
    );
    await ask('a malformed token', 'GET', `${configMaps}?limit=2&continue=nonsense`);
    await ask('by equality', 'GET', `${configMaps}?labelSelector=list%3Dlow`);
    await ask('by inequality', 'GET', `${configMaps}?labelSelector=list%21%3Dlow,list`);
    await ask('by a set', 'GET', `${configMaps}?labelSelector=list%20in%20(low,other)`);
    await ask('a malformed label selector', 'GET', `${configMaps}?labelSelector=%3D%3D%3D`);
    await ask('by name', 'GET', `${configMaps}?fieldSelector=metadata.name%3Dlist-a`);
    await ask('by a field that has no index', 'GET', `${configMaps}?fieldSelector=data.a%3Db`);
    await ask('a malformed version', 'GET', `${configMaps}?resourceVersion=x`);
    await ask('a malformed limit', 'GET', `${configMaps}?limit=x&labelSelector=list`);
    await ask('version 0', 'GET', `${configMaps}?resourceVersion=0&labelSelector=list`);
    await ask('of all namespaces', 'GET', '/api/v1/configmaps?labelSelector=list');
    await ask('delete by label', 'DELETE', `${configMaps}?labelSelector=list%3Dlow`);
    await ask('what is left', 'GET', `${configMaps}?labelSelector=list`);
  },

  async watches(ask) {
    const { body } = await ask('a list', 'GET', `${configMaps}?labelSelector=watched`);
    const version = (body as Versioned).metadata.resourceVersion;
    const watch = (query: string) => `${configMaps}?watch=1&timeoutSeconds=1&${query}`;
    await ask('create', 'POST', configMaps, { metadata: { name: 'watched', labels: { watched: 'a' } } });
    await ask('change', 'PATCH', `${configMaps}/watched`, { data: { a: 'b' } }, merge);
    await ask(
      'stop to match',
      'PATCH',
      `${configMaps}/watched`,
      { metadata: { labels: { watched: 'b' } } },
      merge,
    );
    await ask(
      'start to match',
      'PATCH',
      `${configMaps}/watched`,
      { metadata: { labels: { watched: 'a' } } },
      merge,
    );
    await ask('delete', 'DELETE', `${configMaps}/watched`);
    await ask('all changes', 'GET', watch(`resourceVersion=${version}&labelSelector=watched`));
    await ask(
      'changes that match a value',
      'GET',
      watch(`resourceVersion=${version}&labelSelector=watched%3Da`),
    );
    await ask(
      'changes of an object',
      'GET',
      watch(`resourceVersion=${version}&fieldSelector=metadata.name%3Dwatched`),
    );
    await ask('a malformed version', 'GET', watch('resourceVersion=x'));
    await ask('version 1', 'GET', watch('resourceVersion=1&labelSelector=nothing'));
    await ask('no version', 'GET', watch('labelSelector=list'));
  },

  async 'paths and methods'(ask) {
    await ask('an unknown kind', 'GET', `${core}/widgets`);
    await ask('an unknown group', 'GET', '/apis/example.com/v1/widgets');
    await ask('an unknown version', 'GET', '/api/v2/services');
    await ask('an unknown subresource', 'GET', `${services}/dns/scale`);
    await ask('POST to an object', 'POST', `${services}/dns`, loadBalancer('dns'));
    await ask('PUT to a collection', 'PUT', services, loadBalancer('dns'));
    await ask('the version', 'GET', '/version');
  },
};
