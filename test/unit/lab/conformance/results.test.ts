import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { leftOut, parts, testsOf } from '../../../../lab/conformance/parts.ts';
import {
  pageOf,
  problemsIn,
  type Report,
  resultsOf,
  type SpecReport,
  suiteFailures,
} from '../../../../lab/conformance/results.ts';

const root = new URL('../../../../', import.meta.url);
const [finalizerTest = ''] = Object.keys(leftOut);

function spec(group: string, LeafNodeText: string, State: string, message?: string): SpecReport {
  return {
    ContainerHierarchyTexts: [group],
    LeafNodeType: 'It',
    LeafNodeText,
    State,
    ...(message === undefined ? {} : { Failure: { Message: message } }),
  };
}

const reportOf = (...SpecReports: SpecReport[]): Report => [{ SpecReports }];
const services = '[sig-network] Services';
const balancers = '[sig-network] LoadBalancers [Feature:LoadBalancer]';
const local = '[sig-network] LoadBalancers ExternalTrafficPolicy: Local [Feature:LoadBalancer] [Slow]';

test('resultsOf() takes each result from the part in which the test ran, and sorts by group and name', () => {
  const first = reportOf(
    spec(services, 'should serve a basic endpoint from pods [Conformance]', 'passed'),
    spec(balancers, 'should have affinity [Slow] [LinuxOnly]', 'skipped'),
    spec(local, 'should work from pods', 'failed', 'no answer\nat line 5'),
    spec('[sig-network] DNS', 'should resolve', 'skipped'),
  );
  const second = reportOf(
    spec(services, 'should serve a basic endpoint from pods [Conformance]', 'skipped'),
    spec(balancers, 'should have affinity [Slow] [LinuxOnly]', 'passed'),
  );
  assert.deepEqual(resultsOf([first, second]), [
    { group: 'LoadBalancers', name: 'should have affinity', state: 'passed', reason: '' },
    {
      group: 'LoadBalancers ExternalTrafficPolicy: Local',
      name: 'should work from pods',
      state: 'failed',
      reason: 'no answer',
    },
    { group: 'Services', name: 'should serve a basic endpoint from pods', state: 'passed', reason: '' },
  ]);
});

test('a skipped test has the reason that Kubernetes or this project gives, and a test skipped without a reason is a problem', () => {
  const results = resultsOf([
    reportOf(
      spec(services, 'should work after restarting kube-proxy [Disruptive]', 'skipped', 'needs a Pod of it'),
      spec(balancers, `${finalizerTest} [Slow]`, 'skipped'),
      spec(services, 'should be new', 'skipped'),
      spec(services, 'should crash the program', 'panicked', 'nil pointer'),
    ),
  ]);
  assert.deepEqual(
    results.map(({ reason }) => reason),
    [leftOut[finalizerTest], '', 'nil pointer', 'needs a Pod of it'],
  );
  assert.deepEqual(problemsIn(results), [
    'Services: should be new: did not run, for no known reason',
    'Services: should crash the program: failed: nil pointer',
  ]);
});

test('suiteFailures() names a failed hook of the suite, and why it failed', () => {
  const hook = { ...spec('', '', 'failed', 'nodes are not ready'), LeafNodeType: 'SynchronizedBeforeSuite' };
  const good = { ...spec('', '', 'passed'), LeafNodeType: 'ReportAfterSuite' };
  assert.deepEqual(suiteFailures([reportOf(hook, good)]), ['SynchronizedBeforeSuite: nodes are not ready']);
});

test('pageOf() counts the results and gives the reason of each test that did not pass', () => {
  const page = pageOf(
    resultsOf([
      reportOf(spec(services, 'should a|b', 'passed'), spec(services, 'should c', 'failed', 'no <x>')),
    ]),
    'v1.2.3',
  );
  assert.match(page, /Kubernetes v1\.2\.3/);
  assert.match(page, /Of 2 tests, 1 passed, 1 failed, and 0 were skipped\./);
  assert.match(page, /^\| should a\\\|b \| passed \|$/m);
  assert.match(page, /^\| should c \| \*\*failed\*\*: no &lt;x> \|$/m);
});

test('testsOf() divides the tests of Services between the parts, without those that are left out', () => {
  const names = [
    '[sig-network] Services should serve a basic endpoint from pods [Conformance]',
    '[sig-network] Services should have session affinity work for NodePort service [LinuxOnly]',
    '[sig-network] LoadBalancers [Feature:LoadBalancer] should be able to change the type and ports of a TCP service [Slow]',
    '[sig-network] LoadBalancers [Feature:LoadBalancer] should have session affinity work for LoadBalancer service with Local traffic policy [Slow] [LinuxOnly]',
    '[sig-network] LoadBalancers [Feature:LoadBalancer] should be able to switch session affinity for LoadBalancer service with Cluster traffic policy [Slow] [LinuxOnly]',
    '[sig-network] LoadBalancers ExternalTrafficPolicy: Local [Feature:LoadBalancer] [Slow] should work from pods',
    `[sig-network] LoadBalancers [Feature:LoadBalancer] ${finalizerTest} [Slow]`,
    '[sig-network] ServiceCIDR and IPAddress API should support ServiceCIDR API operations [Conformance]',
  ];
  assert.deepEqual(
    parts.map((part) => testsOf(part, names).map((name) => names.indexOf(name))),
    [
      [0, 1, 2, 5],
      [3, 4],
    ],
  );
  assert.deepEqual(
    parts.map((part) => testsOf(part, names, /Local/).map((name) => names.indexOf(name))),
    [[5], [3]],
  );
});

test('the tests, the control plane and the page are of one version of Kubernetes', () => {
  const versions = ['lab/conformance/go.mod', 'lab/kubernetes/go.mod'].map(
    (file) =>
      /k8s\.io\/kubernetes (v\S+)/.exec(readFileSync(fileURLToPath(new URL(file, root)), 'utf8'))?.[1],
  );
  assert.equal(versions[0], versions[1]);
  const page = readFileSync(fileURLToPath(new URL('docs/reference/conformance.md', root)), 'utf8');
  assert.ok(page.includes(`Kubernetes ${versions[0]}`), 'run make conformance to update the page');
});
