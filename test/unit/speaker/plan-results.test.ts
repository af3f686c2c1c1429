import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyPlan, type Refusal, type ServicePlan } from '../../../src/speaker/plan/service-plan.ts';
import { PlanResults } from '../../../src/speaker/plan-results.ts';
import { ServiceRecord } from '../../../src/speaker/service-record.ts';
import { service } from './fixtures.ts';

const refusal: Refusal = {
  address: '192.0.2.1',
  cause: 'node',
  reason: 'node-1 is not ready',
  field: 'Node',
};

function fixture(...names: readonly string[]) {
  const records = new Map(names.map((key) => [key, new ServiceRecord(key, service(key, []))] as const));
  const results = new PlanResults(records);
  const planned = (key: string, plan: ServicePlan) =>
    results.planned(records.get(key) ?? assert.fail(), plan);
  return { results, planned };
}

test('PlanResults joins the peers of an address that several Services share', () => {
  const { results, planned } = fixture('default/tcp', 'default/udp');
  planned('default/tcp', { ...emptyPlan, advertised: [{ address: '192.0.2.1', peers: ['a', 'b'] }] });
  planned('default/udp', { ...emptyPlan, advertised: [{ address: '192.0.2.1', peers: ['b', 'c'] }] });
  assert.deepEqual([...results.advertised()], [['192.0.2.1', ['a', 'b', 'c']]]);
  assert.equal(results.isAdvertised('default/tcp', '192.0.2.1'), true);
  assert.equal(results.isAdvertised('default/tcp', '192.0.2.2'), false);
  assert.equal(results.isAdvertised('default/web', '192.0.2.1'), false);
});

test('PlanResults keeps only what the latest plan of a Service says', () => {
  const { results, planned } = fixture('default/web');
  planned('default/web', {
    ...emptyPlan,
    advertised: [{ address: '192.0.2.2', peers: ['a'] }],
    refusals: [refusal],
    notToAnnounce: ['192.0.2.1'],
    dependsOn: ['node-2'],
  });
  assert.deepEqual(results.refusals(), [{ service: 'default/web', ...refusal }]);
  assert.deepEqual([...results.notToAnnounceByService()], [['default/web', ['192.0.2.1']]]);
  assert.deepEqual([...results.dependentsOf('node-2')], ['default/web']);
  planned('default/web', { ...emptyPlan, dependsOn: ['node-3'] });
  assert.deepEqual(
    [
      [...results.advertisedByService()],
      [...results.refusalsByService()],
      [...results.notToAnnounceByService()],
      [...results.dependentsOf('node-2')],
    ],
    [[], [], [], []],
  );
  assert.deepEqual([...results.dependentsOf('node-3')], ['default/web']);
});

test('PlanResults keeps one list for equal lists of peers', () => {
  const { results, planned } = fixture('a', 'b');
  for (const name of ['a', 'b'])
    planned(name, { ...emptyPlan, advertised: [{ address: '192.0.2.1', peers: ['tor', 'spine'] }] });
  const [one, other] = [...results.advertisedByService()].map(([, [first]]) => first?.peers);
  assert.ok(one);
  assert.equal(one, other);
});
