import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Environment } from '@marcbachmann/cel-js';
import { loadAll } from 'js-yaml';

interface Policy {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
    readonly variables: readonly { readonly name: string; readonly expression: string }[];
    readonly validations: readonly { readonly expression: string; readonly message: string }[];
  };
}

interface Update {
  readonly user: string;
  readonly namespace?: string;
  readonly node?: string;
  readonly before: object;
  readonly after: object;
}

const policies = ['admission.yaml', 'dead-nodes/admission.yaml']
  .map((file) => readFileSync(new URL(`../../../manifests/${file}`, import.meta.url), 'utf8'))
  .flatMap((text) => loadAll(text) as Policy[])
  .filter(({ kind }) => kind === 'ValidatingAdmissionPolicy');
const environment = new Environment({ unlistedVariablesAreDyn: true });
const account = (name: string) => `system:serviceaccount:bellman-system:${name}`;

/** Returns the messages of the validations that refuse the update, or `undefined` when the policy does not apply to the update. */
function refusals(policyName: string, { user, namespace = 'bellman-system', node, before, after }: Update) {
  const policy = policies.find(({ metadata }) => metadata.name === policyName);
  assert.ok(policy);
  const extra = node === undefined ? {} : { extra: { 'authentication.kubernetes.io/node-name': [node] } };
  const variables: Record<string, unknown> = {};
  const context = {
    object: after,
    oldObject: before,
    request: { namespace, userInfo: { username: user, ...extra } },
    variables,
  };
  const evaluate = (expression: string): unknown => environment.evaluate(expression, context);
  if (!policy.spec.matchConditions.every(({ expression }) => evaluate(expression) === true)) return undefined;
  for (const { name, expression } of policy.spec.variables) variables[name] = evaluate(expression);
  return policy.spec.validations
    .filter(({ expression }) => evaluate(expression) !== true)
    .map(({ message }) => message);
}

const status = { loadBalancer: { ingress: [{ ip: '192.0.2.240' }] } };
const other = { metallb: 'x' };
const announcing = (value: string) => ({ ...other, 'bellman.dev/announcing': value });

describe('the admission policy of speakers', () => {
  const refuse = (before: object, after: object, node = 'node-1') =>
    refusals('bellman-speaker-services', { user: account('speaker'), node, before, after });
  const service = (annotations?: object, more: object = {}) => ({
    metadata: { ...(annotations ? { annotations } : {}), labels: { app: 'a' } },
    status,
    ...more,
  });

  test('lets a speaker announce as its own node, whatever annotations and lines are already there', () => {
    const own = '192.0.2.240=node-1/eth0';
    assert.deepEqual(refuse(service(), service({ 'bellman.dev/announcing': own })), []);
    assert.deepEqual(refuse(service(other), service(announcing(own))), []);
    const dual = '192.0.2.240=node-2/eth0,2001:db8::1=node-1/eth0';
    assert.deepEqual(refuse(service(announcing('192.0.2.240=node-2/eth0')), service(announcing(dual))), []);
  });

  test('lets a speaker remove lines, even those of other nodes', () => {
    assert.deepEqual(refuse(service(announcing('192.0.2.240=node-2/eth0')), service(other)), []);
  });

  test('refuses a line of another node', () => {
    const forged = service(announcing('192.0.2.240=node-2/eth0'));
    assert.deepEqual(refuse(service(other), forged), [
      'a speaker may announce a Service only as its own node',
    ]);
  });

  test('refuses other annotations, labels and status', () => {
    const before = service(other);
    assert.equal(refuse(before, service({ ...other, 'bellman.dev/address-pool': 'x' }))?.length, 1);
    assert.equal(refuse(before, service({ metallb: 'y' }))?.length, 1);
    assert.equal(refuse(before, service())?.length, 1);
    assert.equal(
      refuse(before, { ...before, metadata: { annotations: other, labels: { app: 'b' } } })?.length,
      1,
    );
    assert.equal(refuse(before, { ...before, metadata: { annotations: other } })?.length, 1);
    assert.equal(refuse(before, { ...before, status: { loadBalancer: {} } })?.length, 1);
  });

  test('does not apply to other users', () => {
    const update = { user: account('controller'), before: service(), after: service(other) };
    assert.equal(refusals('bellman-speaker-services', update), undefined);
  });
});

describe('the admission policy of the ConfigMap', () => {
  const map = (annotations?: object) => ({ metadata: annotations ? { annotations } : {} });
  const accepted = { 'bellman.dev/accepted-config': 'peers: []', note: 'mine' };

  test('lets people edit the text and their own annotations, and remove ours', () => {
    for (const after of [map(accepted), map({ ...accepted, note: 'yours' }), map({ note: 'mine' }), map()])
      assert.deepEqual(
        refusals('bellman-accepted-config', { user: 'jane', before: map(accepted), after }),
        [],
      );
  });

  test('refuses people who set or change annotations of the controller', () => {
    for (const after of [
      map({ ...accepted, 'bellman.dev/accepted-config': 'x' }),
      map({ ...accepted, 'bellman.dev/cluster-warnings': 'x' }),
      map({ 'bellman.dev/x': '' }),
    ])
      assert.equal(
        refusals('bellman-accepted-config', { user: 'jane', before: map(accepted), after })?.length,
        1,
      );
    for (const after of [map(accepted), map({ 'bellman.dev/cluster-warnings': 'x' })]) {
      const own = { user: account('controller'), before: map(), after };
      assert.equal(refusals('bellman-accepted-config', own), undefined);
      const speaker = { ...own, user: account('speaker') };
      assert.equal(refusals('bellman-accepted-config', speaker)?.length, 1);
    }
    const elsewhere = { user: 'jane', namespace: 'default', before: map(), after: map(accepted) };
    assert.equal(refusals('bellman-accepted-config', elsewhere), undefined);
  });
});

describe('the admission policy of death reports', () => {
  const refuse = (name: string, node: string | undefined, user = 'speaker') =>
    refusals('bellman-speaker-leases', {
      user: account(user),
      ...(node === undefined ? {} : { node }),
      before: {},
      after: { metadata: { name } },
    });

  test('lets a speaker write only the report of its own node', () => {
    assert.deepEqual(refuse('speaker-node-1', 'node-1'), []);
    for (const name of ['speaker-node-2', 'bellman-controller', 'node-1'])
      assert.equal(refuse(name, 'node-1')?.length, 1, name);
  });

  test('without the name of the node in the token, a speaker may write reports but no other Lease', () => {
    assert.deepEqual(refuse('speaker-node-1', undefined), []);
    assert.equal(refuse('bellman-controller', undefined)?.length, 1);
  });

  test('does not apply to the controller', () => {
    assert.equal(refuse('bellman-controller', undefined, 'controller'), undefined);
  });
});

describe('the admission policy of Pods', () => {
  const ready = { type: 'Ready', status: 'True' };
  const marked = { type: 'Ready', status: 'False', reason: 'BellmanNodeDead', message: 'm' };
  const scheduled = { type: 'PodScheduled', status: 'True' };
  const pod = (conditions: readonly object[], more: object = {}, metadata: object = {}) => ({
    metadata: { labels: { app: 'a' }, ...metadata },
    status: { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }], conditions, ...more },
  });
  const refuse = (after: object, user = account('controller')) =>
    refusals('bellman-controller-pods', { user, before: pod([scheduled, ready]), after });

  test('lets the controller set Ready to False with its reason, and nothing else', () => {
    assert.deepEqual(refuse(pod([scheduled, marked])), []);
    assert.deepEqual(refuse(pod([scheduled, ready])), []);
    const forbidden = [
      pod([scheduled, { ...marked, status: 'True' }]),
      pod([scheduled, { ...marked, reason: 'Other' }]),
      pod([{ ...scheduled, status: 'False' }, marked]),
      pod([marked]),
      pod([scheduled, marked], { phase: 'Failed' }),
      pod([scheduled, marked], { podIPs: [{ ip: '10.0.0.2' }] }),
      pod([scheduled, marked], { containerStatuses: [] }),
      pod([scheduled, marked], {}, { labels: { app: 'b' } }),
      pod([scheduled, marked], {}, { annotations: { a: 'b' } }),
    ];
    for (const after of forbidden) assert.equal(refuse(after)?.length, 1, JSON.stringify(after));
  });

  test('does not apply to others', () => {
    assert.equal(refuse(pod([]), 'system:node:node-1'), undefined);
  });
});
