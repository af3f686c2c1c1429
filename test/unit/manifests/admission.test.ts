import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Environment } from '@marcbachmann/cel-js';
import { loadAll } from 'js-yaml';
import { parseAnnouncing, recordAnnouncing } from '../../../src/cluster/announcing.ts';

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

const status = { loadBalancer: { ingress: [{ ip: '192.0.2.240' }, { ip: '2001:db8::1' }] } };
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

  const onlyOwn = ['a speaker may announce a Service only as its own node, at addresses of the Service'];

  test('refuses a malformed line and a line of another node, even if the line also has the name of the speaker’s node', () => {
    for (const line of [
      '192.0.2.240=node-2/eth0',
      '192.0.2.240=node-2/x=node-1/',
      '192.0.2.240=node-2/=node-1/eth0',
      '=node-1/eth0=node-2/eth0',
      '192.0.2.240=node-2',
      '192.0.2.240=node-10/eth0',
      ' 192.0.2.240=node-1/eth0',
      '',
    ])
      assert.deepEqual(refuse(service(other), service(announcing(line))), onlyOwn, line);
    const own = '192.0.2.240=node-1/eth0';
    for (const added of ['2001:db8::1=node-2/eth0', '2001:db8::1=node-2/x=node-1/'])
      assert.deepEqual(refuse(service(announcing(own)), service(announcing(`${own},${added}`))), onlyOwn);
  });

  test('accepts no new line that readers of the record would take for a line of another node', () => {
    const parts = ['192.0.2.240', '2001:db8::1', 'node-1', 'node-2', '=', '/', 'eth0', ' ', '+'];
    let accepted = 0;
    const grow = (line: string, left: number) => {
      if (refuse(service(other), service(announcing(line)))?.length === 0) {
        accepted++;
        for (const { node } of parseAnnouncing({ annotations: announcing(line) }).values())
          assert.equal(node, 'node-1', line);
      }
      if (left > 0) for (const part of parts) grow(line + part, left - 1);
    };
    for (const start of ['192.0.2.240=', '192.0.2.240=node-1', '192.0.2.240=node-2/']) grow(start, 3);
    assert.ok(accepted > 10, String(accepted));
  });

  test('refuses a line for an address that the Service does not have', () => {
    const line = '192.0.2.241=node-1/eth0';
    assert.deepEqual(refuse(service(other), service(announcing(line))), onlyOwn);
    const older = service(announcing(line));
    assert.deepEqual(refuse(older, older), [], 'a line that is already there may stay');
    for (const nothing of [{ loadBalancer: {} }, {}, { loadBalancer: { ingress: [{ hostname: 'a' }] } }]) {
      const before = service(other, { status: nothing });
      assert.deepEqual(refuse(before, { ...service(announcing(line)), status: nothing }), onlyOwn);
    }
  });

  test('without the name of the node in the token, a speaker may write lines of all nodes, but only for addresses of the Service', () => {
    const write = (line: string) =>
      refusals('bellman-speaker-services', {
        user: account('speaker'),
        before: service(other),
        after: service(announcing(line)),
      });
    assert.deepEqual(write('192.0.2.240=node-2/eth0'), []);
    assert.deepEqual(write('192.0.2.241=node-2/eth0'), onlyOwn);
  });

  test('lets a speaker write every record that recordAnnouncing() makes when the node of the speaker takes an address', () => {
    const ingress = status.loadBalancer.ingress;
    const own = (...interfaces: string[]) => ({ node: 'node-1', interfaces });
    for (const [record, taken] of [
      ['', new Map([['192.0.2.240', own('eth0', 'eth1.100')]])],
      ['192.0.2.240=node-2/eth0,198.51.100.1=node-2/eth0', new Map([['2001:db8::1', own('eth0')]])],
      ['192.0.2.240=node-2/eth0,2001:db8::1=node-2/eth0', new Map([['192.0.2.240', own()]])],
      // A user has edited these records.
      ['192.0.2.240=node-2/eth0, 2001:db8::1=node-2/eth0', new Map([['192.0.2.240', own('eth0')]])],
      ['192.0.2.240=node-2/eth0,2001:DB8:0::1=node-2', new Map([['192.0.2.240', own('eth0')]])],
    ] as const) {
      const annotations = record === '' ? other : announcing(record);
      const after = recordAnnouncing({ annotations, ingress }, taken);
      assert.ok(after);
      assert.deepEqual(refuse(service(annotations), service(announcing(after))), [], after);
    }
  });

  test('refuses changes to other annotations, to labels and to the status', () => {
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

  test('refuses changes to owner references, which delete a Service, and to finalizers, which keep it', () => {
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: '1' };
    const metadata = { annotations: other, labels: { app: 'a' } };
    const withOwner = { metadata: { ...metadata, ownerReferences: [owner] }, status };
    const withFinalizer = { metadata: { ...metadata, finalizers: ['example.com/keep'] }, status };
    const message = ['a speaker may not change the owner references and finalizers of a Service'];
    for (const changed of [withOwner, withFinalizer]) {
      assert.deepEqual(refuse(service(other), changed), message);
      assert.deepEqual(refuse(changed, service(other)), message);
      assert.deepEqual(refuse(changed, changed), []);
    }
    const otherOwner = { metadata: { ...metadata, ownerReferences: [{ ...owner, uid: '2' }] }, status };
    assert.deepEqual(refuse(withOwner, otherOwner), message);
  });

  test('does not apply to other users', () => {
    const update = { user: account('controller'), before: service(), after: service(other) };
    assert.equal(refusals('bellman-speaker-services', update), undefined);
  });
});

describe('the admission policy of the ConfigMap', () => {
  const map = (annotations?: object) => ({ metadata: annotations ? { annotations } : {} });
  const accepted = { 'bellman.dev/accepted-config': 'peers: []', note: 'mine' };

  test('lets people edit the text and their own annotations, and remove those of the controller', () => {
    for (const after of [map(accepted), map({ ...accepted, note: 'yours' }), map({ note: 'mine' }), map()])
      assert.deepEqual(
        refusals('bellman-accepted-config', { user: 'jane', before: map(accepted), after }),
        [],
      );
  });

  test('lets only the controller set or change the annotations of the controller, and applies only in the namespace of Bellman', () => {
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

  test('without the name of the node in the token, a speaker may write any death report, but no other Lease', () => {
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

  test('lets the controller set Ready to False with the reason BellmanNodeDead, and nothing else', () => {
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
      pod([scheduled, marked], { podIPs: undefined }),
      pod([scheduled, marked], { hostIP: '10.0.0.2' }),
      pod([scheduled, marked], { initContainerStatuses: [] }),
      pod([scheduled, marked], { startTime: '2026-01-02T03:04:05Z' }),
      pod([scheduled, marked], { qosClass: 'Guaranteed' }),
      { ...pod([]), status: { phase: 'Running', conditions: [scheduled, marked] } },
      pod([scheduled, scheduled]),
      pod([marked, marked]),
      pod([scheduled, marked], {}, { labels: { app: 'b' } }),
      pod([scheduled, marked], {}, { annotations: { a: 'b' } }),
      pod([scheduled, marked], {}, { finalizers: ['a.example/b'] }),
    ];
    for (const after of forbidden) assert.equal(refuse(after)?.length, 1, JSON.stringify(after));
  });

  test('does not apply to other users', () => {
    assert.equal(refuse(pod([]), 'system:node:node-1'), undefined);
  });
});
