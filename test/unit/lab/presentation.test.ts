import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { discovery } from '../../../lab/apiserver/discovery.ts';
import { present, storedForm, table, wantsTable } from '../../../lab/apiserver/presentation.ts';
import { age, type KubernetesObject, resources } from '../../../lab/apiserver/resources.ts';

function resource(group: string, plural: string) {
  const found = resources.find((each) => each.group === group && each.plural === plural);
  assert.ok(found);
  return found;
}

describe('age()', () => {
  const rows: readonly (readonly [seconds: number, text: string])[] = [
    [-5, '0s'],
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [125, '2m5s'],
    [600, '10m'],
    [179 * 60, '179m'],
    [3 * 3600, '3h'],
    [47 * 3600, '47h'],
    [48 * 3600, '2d'],
  ];
  const now = Date.parse('2026-01-31T00:00:00Z');
  for (const [seconds, text] of rows)
    test(`${seconds} s is shown as ${text}`, () => {
      assert.equal(age(new Date(now - seconds * 1000).toISOString(), now), text);
    });
  test('a missing date is unknown', () => assert.equal(age(undefined, now), '<unknown>'));
});

test('wantsTable() follows the first preference of the client', () => {
  assert.equal(wantsTable('application/json;as=Table;v=v1;g=meta.k8s.io,application/json'), true);
  assert.equal(wantsTable('application/json'), false);
  assert.equal(wantsTable(undefined), false);
});

test('both event APIs serve the same event', () => {
  const newer = resource('events.k8s.io', 'events');
  const older = resource('', 'events');
  const regarding = { kind: 'Service', name: 'web' };
  const sent: KubernetesObject = {
    metadata: { name: 'e' },
    eventTime: '2026-01-01T00:00:00.000000Z',
    regarding,
    note: 'assigned',
    reportingController: 'bellman',
    type: 'Normal',
  };
  const asOlder = present(older, storedForm(newer, sent));
  assert.deepEqual(
    [asOlder.apiVersion, asOlder.involvedObject, asOlder.message, asOlder.lastTimestamp, asOlder.count],
    ['v1', regarding, 'assigned', null, undefined],
  );
  const asNewer = present(newer, storedForm(older, asOlder));
  assert.deepEqual(
    [asNewer.apiVersion, asNewer.regarding, asNewer.note, asNewer.involvedObject],
    ['events.k8s.io/v1', regarding, 'assigned', undefined],
  );
});

describe('table()', () => {
  const cellsOf = (plural: string, object: KubernetesObject) =>
    (
      table(resource('', plural), [object], { resourceVersion: '1' }, 'metadata') as {
        rows: { cells: unknown[] }[];
      }
    ).rows[0]?.cells;
  const created = new Date().toISOString();

  test('a LoadBalancer Service shows its addresses or <pending>, and a ClusterIP Service shows <none>', () => {
    const service = (type: string, ...ips: string[]) => ({
      metadata: { name: 'web', creationTimestamp: created },
      spec: {
        type,
        clusterIP: '10.96.0.1',
        ports: [
          { port: 80, protocol: 'TCP' },
          { port: 53, nodePort: 30053 },
        ],
      },
      status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
    });
    const cells = (type: string, ...ips: string[]) => cellsOf('services', service(type, ...ips))?.slice(0, 5);
    const ports = '80/TCP,53:30053/TCP';
    assert.deepEqual(cells('LoadBalancer'), ['web', 'LoadBalancer', '10.96.0.1', '<pending>', ports]);
    assert.deepEqual(cells('ClusterIP'), ['web', 'ClusterIP', '10.96.0.1', '<none>', ports]);
    assert.equal(cells('LoadBalancer', '192.0.2.1', '2001:db8::1')?.[3], '192.0.2.1,2001:db8::1');
  });

  test('a Node shows whether it is ready and schedulable', () => {
    const node = (status: string, unschedulable: boolean) => ({
      metadata: { name: 'n', creationTimestamp: created },
      spec: { unschedulable },
      status: { conditions: [{ type: 'Ready', status }] },
    });
    assert.equal(cellsOf('nodes', node('True', false))?.[1], 'Ready');
    assert.equal(cellsOf('nodes', node('Unknown', false))?.[1], 'NotReady');
    assert.equal(cellsOf('nodes', node('True', true))?.[1], 'Ready,SchedulingDisabled');
  });
});

test('discovery() names every resource under its group and version', () => {
  for (const { group, version, plural } of resources) {
    const list = discovery(group === '' ? `/api/${version}` : `/apis/${group}/${version}`) as {
      resources: { name: string }[];
    };
    assert.ok(list.resources.some(({ name }) => name === plural));
  }
  assert.equal(discovery('/apis/apps/v1'), undefined);
});
