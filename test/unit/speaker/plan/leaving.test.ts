import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TaintMatch } from '../../../../src/config/config.ts';
import type { Node, NodeCondition, Taint } from '../../../../src/kubernetes/model.ts';
import { leavingOf } from '../../../../src/speaker/plan/leaving.ts';
import { nodeRefusal, planningKey } from '../../../../src/speaker/plan/node-refusal.ts';
import { node } from '../fixtures.ts';

const rules = { leavesWhenCordoned: false, ignoresExcludeLabel: false, leaveOnTaints: [] };
const at = '2026-11-26T10:00:00Z';

const condition = (over: Partial<NodeCondition>): NodeCondition => ({
  type: 'Ready',
  status: 'True',
  reason: '',
  message: '',
  lastTransitionTime: at,
  ...over,
});
const taint = (key: string, over: Partial<Taint> = {}): Taint => ({
  key,
  value: '',
  effect: 'NoSchedule',
  ...over,
});
const shutdown = condition({
  status: 'False',
  reason: 'KubeletNotReady',
  message: '[container runtime is down, node is shutting down]',
});

/** Name of the case, the Node, and the expected cause, reason and time, which are absent when the node does not leave. */
const signals: readonly (readonly [string, Partial<Node>, string?])[] = [
  ['a plain node', {}],
  [
    'the annotation of Bellman',
    { annotations: { 'bellman.dev/maintenance': 'new kernel' } },
    'maintenance: is in maintenance by annotation: new kernel',
  ],
  [
    'the annotation without a reason',
    { annotations: { 'bellman.dev/maintenance': '' } },
    'maintenance: is in maintenance by annotation',
  ],
  ...(['MaintenanceInProgress', 'DrainInProgress', 'Drained', 'GracefulNodeShutdownInProgress'] as const).map(
    (type) =>
      [
        `the condition ${type}`,
        { conditions: [condition({ type, reason: 'AdminRequested' })] },
        `life-cycle: ${
          {
            MaintenanceInProgress: 'is in maintenance',
            DrainInProgress: 'is being drained',
            Drained: 'is drained',
            GracefulNodeShutdownInProgress: 'is shutting down',
          }[type]
        } (${type}, AdminRequested) since ${at}`,
      ] as const,
  ),
  ['the condition MaintenancePlanned', { conditions: [condition({ type: 'MaintenancePlanned' })] }],
  ['a condition that is False', { conditions: [condition({ type: 'Drained', status: 'False' })] }],
  ['a condition that is Unknown', { conditions: [condition({ type: 'Drained', status: 'Unknown' })] }],
  ['the condition Ready', { conditions: [condition({})] }],
  [
    'a node shutdown that the kubelet reports',
    { ready: false, conditions: [shutdown] },
    `shutdown: is shutting down since ${at}`,
  ],
  [
    'a node that is not Ready but does not shut down',
    { ready: false, conditions: [condition({ status: 'False', message: 'PLEG is not healthy' })] },
  ],
  [
    'a node shutdown after which the kubelet reports nothing more',
    { ready: false, conditions: [{ ...shutdown, status: 'Unknown', reason: 'NodeStatusUnknown' }] },
  ],
  ['the deletion of the Node', { deletedAt: at }, `deletion: is being deleted from Kubernetes since ${at}`],
  [
    'the taint of the cluster autoscaler',
    { taints: [taint('ToBeDeletedByClusterAutoscaler', { value: '1732600000' })] },
    'autoscaler: is about to be deleted by the cluster autoscaler',
  ],
  ['a taint that leave-on-taints does not name', { taints: [taint('dedicated', { value: 'storage' })] }],
  ['a cordon', { unschedulable: true, taints: [taint('node.kubernetes.io/unschedulable')] }],
  ['the exclude label', { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } }],
];
for (const [name, over, expected] of signals)
  test(`leavingOf() on ${name} returns ${expected ?? 'nothing'}`, () => {
    const found = leavingOf(node('node-1', over), rules);
    const text =
      found && `${found.cause}: ${found.reason}${found.since === undefined ? '' : ` since ${found.since}`}`;
    assert.equal(text, expected);
  });

test('leavingOf() prefers the annotation of Bellman to other causes', () => {
  const annotations = { 'bellman.dev/maintenance': 'x' };
  assert.equal(leavingOf(node('n', { annotations, deletedAt: at }), rules)?.cause, 'maintenance');
});

test('leavingOf() lets a cordoned node leave only with leavesWhenCordoned', () => {
  const cordoned = node('n', { unschedulable: true });
  assert.equal(leavingOf(cordoned, rules), undefined);
  assert.equal(leavingOf(cordoned, { ...rules, leavesWhenCordoned: true })?.cause, 'cordon');
});

const anyNoExecute: TaintMatch = { effect: 'NoExecute', tolerations: [] };
/** Name, matches, taint, and whether the node leaves. */
const taints: readonly (readonly [string, readonly TaintMatch[], Taint, boolean])[] = [
  ['the key', [{ key: 'reboot', tolerations: [] }], taint('reboot', { value: 'x' }), true],
  ['another key', [{ key: 'reboot', tolerations: [] }], taint('rebooted'), false],
  [
    'the value',
    [{ key: 'reboot', value: 'soon', tolerations: [] }],
    taint('reboot', { value: 'soon' }),
    true,
  ],
  [
    'another value',
    [{ key: 'reboot', value: 'soon', tolerations: [] }],
    taint('reboot', { value: 'late' }),
    false,
  ],
  ['the effect', [anyNoExecute], taint('a', { effect: 'NoExecute' }), true],
  ['another effect', [anyNoExecute], taint('a'), false],
  ['PreferNoSchedule', [{ key: 'a', tolerations: [] }], taint('a', { effect: 'PreferNoSchedule' }), false],
  [
    'the second entry of leave-on-taints',
    [{ key: 'b', tolerations: [] }, anyNoExecute],
    taint('a', { effect: 'NoExecute' }),
    true,
  ],
  [
    'a tolerated key',
    [{ key: 'a', tolerations: [{ key: 'a', operator: 'Exists', value: '' }] }],
    taint('a'),
    false,
  ],
  [
    'a tolerated value',
    [{ key: 'a', tolerations: [{ key: 'a', operator: 'Equal', value: 'x' }] }],
    taint('a', { value: 'x' }),
    false,
  ],
  [
    'a value that is not tolerated',
    [{ key: 'a', tolerations: [{ key: 'a', operator: 'Equal', value: 'x' }] }],
    taint('a', { value: 'y' }),
    true,
  ],
  [
    'an effect that is not tolerated',
    [{ key: 'a', tolerations: [{ key: 'a', operator: 'Exists', value: '', effect: 'NoExecute' }] }],
    taint('a'),
    true,
  ],
  [
    'a toleration of everything',
    [{ key: 'a', tolerations: [{ operator: 'Exists', value: '' }] }],
    taint('a'),
    false,
  ],
];
for (const [name, leaveOnTaints, each, leaves] of taints)
  test(`leavingOf() compares taints: ${name} ${leaves ? 'matches' : 'does not match'}`, () => {
    const found = leavingOf(node('n', { taints: [each] }), { ...rules, leaveOnTaints });
    assert.equal(found?.cause, leaves ? 'taint' : undefined);
  });

test('nodeRefusal() refuses a node that is not Ready, unless the node is shutting down', () => {
  assert.equal(nodeRefusal('n', node('n', { ready: false, conditions: [shutdown] }), rules), undefined);
  assert.match(nodeRefusal('n', node('n', { ready: false }), rules)?.reason ?? '', /not Ready/);
});

test('planningKey() changes when the node begins to leave or its maintenance is planned, but not with an unrelated taint', () => {
  const before = planningKey('n', node('n'), rules);
  assert.notEqual(planningKey('n', node('n', { deletedAt: at }), rules), before);
  assert.equal(planningKey('n', node('n', { taints: [taint('dedicated')] }), rules), before);
  const planned = node('n', { conditions: [condition({ type: 'MaintenancePlanned' })] });
  assert.notEqual(planningKey('n', planned, rules), before);
});
