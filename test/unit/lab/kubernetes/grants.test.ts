import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '../../../../lab/kubernetes/audit-log.ts';
import {
  allows,
  type Grant,
  grantsOf,
  type Manifest,
  rightsUsed,
  usesIn,
} from '../../../../lab/kubernetes/grants.ts';

const account = { kind: 'ServiceAccount', namespace: 'system', name: 'speaker' };
const role: Manifest = {
  kind: 'Role',
  metadata: { name: 'leases', namespace: 'system' },
  rules: [
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      resourceNames: ['leader'],
      verbs: ['get', 'update'],
    },
    { apiGroups: [''], resources: ['services/status'], verbs: ['patch'] },
    { nonResourceURLs: ['/debug/*'], verbs: ['get'] },
  ],
};
const binding = (kind: string, name: string): Manifest => ({
  kind: `${kind}Binding`,
  metadata: { name, ...(kind === 'Role' ? { namespace: 'system' } : {}) },
  roleRef: { kind, name },
  subjects: [account],
});

function event(changes: Partial<AuditEvent>): AuditEvent {
  return {
    stage: 'ResponseComplete',
    verb: 'patch',
    requestURI: '/',
    user: { username: 'system:serviceaccount:system:speaker' },
    objectRef: { resource: 'services', subresource: 'status', namespace: 'default', name: 'web' },
    responseStatus: { code: 200 },
    requestReceivedTimestamp: '2026-01-02T03:04:05.000000Z',
    ...changes,
  };
}

const own = { account: 'system/speaker', namespace: 'system' };

test('grantsOf returns one right for each verb on each resource that a binding grants to an account', () => {
  assert.deepEqual(grantsOf([role, binding('Role', 'leases')]), [
    { ...own, verb: 'get', resource: 'leases.coordination.k8s.io', names: ['leader'] },
    { ...own, verb: 'update', resource: 'leases.coordination.k8s.io', names: ['leader'] },
    { ...own, verb: 'patch', resource: 'services/status', names: [] },
    { ...own, verb: 'get', resource: '/debug/*', names: [] },
  ]);
});

test('grantsOf takes the Role from the namespace of the RoleBinding', () => {
  const elsewhere: Manifest = { ...role, metadata: { name: 'leases', namespace: 'other' }, rules: [] };
  assert.equal(grantsOf([elsewhere, role, binding('Role', 'leases')]).length, 4);
  assert.throws(() => grantsOf([elsewhere, binding('Role', 'leases')]), /binds Role leases/);
});

test('a request in a namespace uses the right to that namespace, and a request to all namespaces uses the wider right', () => {
  const everywhere: Grant = { account: 'system/speaker', verb: 'list', resource: 'pods', names: [] };
  const here: Grant = { ...everywhere, namespace: 'system' };
  const used = (namespace?: string) =>
    usesIn(
      event({ verb: 'list', objectRef: { resource: 'pods', ...(namespace ? { namespace } : {}) } }),
    ).flatMap((use) => rightsUsed([everywhere, here], use));
  assert.deepEqual(used('system'), [here]);
  assert.deepEqual(used('other'), [everywhere]);
  assert.deepEqual(used(), [everywhere]);
});

test('grantsOf knows the rules of a built-in role, and rejects a role that it does not know', () => {
  const reviews = grantsOf([binding('ClusterRole', 'system:auth-delegator')]);
  assert.deepEqual(
    reviews.map(({ resource }) => resource),
    ['tokenreviews.authentication.k8s.io', 'subjectaccessreviews.authorization.k8s.io'],
  );
  assert.throws(() => grantsOf([binding('Role', 'lost')]), /binds Role lost/);
});

const patching: Grant = { account: 'system/speaker', verb: 'patch', resource: 'services/status', names: [] };
const cases: readonly (readonly [string, Grant, Partial<AuditEvent>, boolean])[] = [
  ['a request with the same verb and resource', patching, {}, true],
  [
    'a request of another account',
    patching,
    { user: { username: 'system:serviceaccount:system:controller' } },
    false,
  ],
  ['a request in another namespace', { ...patching, namespace: 'system' }, {}, false],
  ['a request with another verb', patching, { verb: 'get' }, false],
  ['a request for the whole Service', patching, { objectRef: { resource: 'services', name: 'web' } }, false],
  ['a refused request', patching, { responseStatus: { code: 403 } }, false],
  ['a request for an object that the right names', { ...patching, names: ['web'] }, {}, true],
  ['a request for an object that the right does not name', { ...patching, names: ['other'] }, {}, false],
  [
    'the event at the end of a watch',
    { ...patching, verb: 'watch', resource: 'nodes' },
    { verb: 'watch', objectRef: { resource: 'nodes' } },
    false,
  ],
  [
    'the event at the beginning of a watch',
    { ...patching, verb: 'watch', resource: 'nodes' },
    { verb: 'watch', objectRef: { resource: 'nodes' }, stage: 'ResponseStarted' },
    true,
  ],
];
for (const [name, grant, changes, expected] of cases)
  test(`a right is ${expected ? '' : 'not '}used by ${name}`, () => {
    assert.equal(
      usesIn(event(changes)).some((use) => allows(grant, use)),
      expected,
    );
  });

test('a SubjectAccessReview that allows a request counts as a use of the right that the request needs', () => {
  const reviewed = (allowed: boolean) =>
    usesIn(
      event({
        verb: 'create',
        objectRef: { apiGroup: 'authorization.k8s.io', resource: 'subjectaccessreviews' },
        responseObject: {
          spec: {
            user: 'system:serviceaccount:system:viewer',
            nonResourceAttributes: { path: '/debug/events', verb: 'get' },
          },
          status: { allowed },
        },
      }),
    );
  const grant: Grant = { account: 'system/viewer', verb: 'get', resource: '/debug/*', names: [] };
  assert.ok(reviewed(true).some((use) => allows(grant, use)));
  assert.ok(!reviewed(false).some((use) => allows(grant, use)));
});
