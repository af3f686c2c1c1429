/** Requests that change a Service or its status. */
import { apply, jsonPatch, merge, strategic } from './media-types.ts';
import { loadBalancer, servicesPath } from './objects.ts';
import { type Talk, versionOf } from './talk.ts';

export const serviceStatus: Talk = async (ask) => {
  const path = `${servicesPath}/plain`;
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
    `${servicesPath}/cluster/status`,
    ingress({ ip: '198.51.100.1' }),
    merge,
  );
  await ask(
    'on a Service that does not exist',
    'PATCH',
    `${servicesPath}/nothing/status`,
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
};

export const serviceConditions: Talk = async (ask) => {
  const { body } = await ask('a Service', 'POST', servicesPath, loadBalancer('applied'));
  const { uid } = (body as { metadata: { uid: string } }).metadata;
  const path = `${servicesPath}/applied/status`;
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
  await ask('in the end', 'GET', `${servicesPath}/applied`);
  const change = { spec: { type: 'ClusterIP' } };
  await ask('type ClusterIP keeps the conditions', 'PATCH', `${servicesPath}/applied`, change, merge);
};

export const serviceChanges: Talk = async (ask) => {
  const path = `${servicesPath}/plain`;
  await ask('another policy', 'PATCH', path, { spec: { externalTrafficPolicy: 'Local' } }, merge);
  await ask('back to the first policy', 'PATCH', path, { spec: { externalTrafficPolicy: 'Cluster' } }, merge);
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
  await ask('a dry run', 'PATCH', `${path}?dryRun=All`, { metadata: { annotations: { dry: 'run' } } }, merge);
  const { body } = await ask('after the dry run', 'GET', path);
  await ask('a PUT of what is there', 'PUT', path, body);
  await ask('a PUT with another name', 'PUT', path, { ...(body as object), metadata: { name: 'other' } });
  await ask('a PUT of what does not exist', 'PUT', `${servicesPath}/nothing`, loadBalancer('nothing'));
  await ask('a patch of an unknown type', 'PATCH', path, {}, 'application/yaml');
  await ask('a deletion in a dry run', 'DELETE', `${path}?dryRun=All`);
  await ask('a deletion with another uid', 'DELETE', path, { preconditions: { uid: 'other' } });
  await ask('a finalizer', 'PATCH', path, { metadata: { finalizers: ['bellman.dev/test'] } }, merge);
  await ask('a deletion that waits for it', 'DELETE', path);
  await ask('the waiting Service', 'GET', path);
  await ask('the end of the finalizer', 'PATCH', path, { metadata: { finalizers: null } }, merge);
  await ask('the Service is gone', 'GET', path);
  await ask('a deletion', 'DELETE', `${servicesPath}/cluster`);
  await ask('a second deletion', 'DELETE', `${servicesPath}/cluster`);
};
