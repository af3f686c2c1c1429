import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { decodeDeathReport } from '../../../../src/cluster/death-report.ts';
import type { RawObject } from '../../../../src/kubernetes/api.ts';
import { ApiError } from '../../../../src/kubernetes/api-error.ts';
import { DeathReporter } from '../../../../src/speaker/dead-nodes/death-reporter.ts';
import type { ProbeAnswer } from '../../../../src/speaker/dead-nodes/node-deaths.ts';
import { FlightRecorder } from '../../../../src/telemetry/flight-recorder.ts';
import { MemoryApi } from '../../../support/memory-api.ts';
import { memoryLogger } from '../../../support/memory-logger.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';
import { pass } from '../../../support/virtual-run.ts';

const path = '/apis/coordination.k8s.io/v1/namespaces/bellman-system/leases/speaker-a';
const on = { deadNodes: { maxNodes: { kind: 'number', nodes: 1 } } } as const;

function setUp(t: TestContext) {
  const clock = new VirtualClock();
  const { logger, lines } = memoryLogger();
  const api = new MemoryApi(clock, logger);
  const silent = new Set<string>();
  const reporter = new DeathReporter({
    client: api,
    namespace: 'bellman-system',
    clock,
    logger,
    recorder: new FlightRecorder({ clock }),
    node: () => ({ name: 'a', uid: 'uid-a' }),
    port: 7946,
    ask: ([address = '']): Promise<ProbeAnswer> =>
      new Promise((resolve) => {
        const isSilent = silent.has(address);
        clock.after(isSilent ? 500 : 1, () => resolve(isSilent ? 'silent' : 'answered'));
      }),
  });
  t.after(() => reporter.stop());
  const names = ['a', 'b', 'c', 'd'];
  reporter.setSpeakers({
    known: names.map((node) => ({ node, addresses: [`address-${node}`] })),
    areCertain: true,
  });
  /** Sets the members. Those that are named here are dead, and the others are alive. */
  const members = (...dead: readonly string[]) =>
    reporter.setMembers(
      names
        .slice(1)
        .map((node) => ({ node, state: dead.includes(node) ? 'dead' : 'alive', address: '', since: '' })),
    );
  const report = () => {
    const stored = api.get(path);
    return stored && decodeDeathReport(stored as RawObject)?.deadNodes.join();
  };
  members();
  return { api, clock, lines, reporter, silent, members, report };
}

describe('DeathReporter', () => {
  test('writes nothing unless the configuration asks for it', async (t) => {
    const { api, clock, silent, members } = setUp(t);
    silent.add('address-d');
    members('d');
    await pass(clock, 5000);
    assert.deepEqual(api.writes, []);
  });

  test('writes a report at the start, and then only when the dead nodes change', async (t) => {
    const { api, clock, reporter, silent, members, report } = setUp(t);
    reporter.setConfig(on);
    await pass(clock, 60_000, 500);
    assert.equal(report(), '');
    assert.deepEqual(
      api.writes.map(({ method }) => method),
      ['PATCH', 'POST'],
    );
    silent.add('address-d');
    members('d');
    await pass(clock, 1000);
    assert.equal(report(), 'd');
    assert.deepEqual(reporter.dead, ['d']);
    await pass(clock, 60_000, 500);
    assert.equal(api.writes.length, 3);
    silent.clear();
    members();
    await pass(clock, 1000);
    assert.equal(report(), '');
  });

  test('does not log that a dead node is alive when dead-nodes is removed from the configuration and comes back', async (t) => {
    const { clock, lines, reporter, silent, members } = setUp(t);
    reporter.setConfig(on);
    await pass(clock, 60_000, 500);
    silent.add('address-d');
    members('d');
    await pass(clock, 1000);
    reporter.setConfig({});
    reporter.setConfig(on);
    await pass(clock, 60_000, 500);
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ['nodes are dead'],
    );
  });

  test('the Lease belongs to the Node, and names it', async (t) => {
    const { api, clock, reporter } = setUp(t);
    reporter.setConfig(on);
    await pass(clock, 1000);
    const stored = api.get(path);
    const { metadata, spec } = stored as unknown as {
      readonly metadata: { readonly ownerReferences: readonly object[] };
      readonly spec: { readonly holderIdentity: string };
    };
    assert.deepEqual(metadata.ownerReferences, [{ apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'uid-a' }]);
    assert.equal(spec.holderIdentity, 'a');
  });

  test('a speaker that misses most of the others keeps writing, and so shows that its node lives', async (t) => {
    const { api, clock, reporter, silent, members } = setUp(t);
    reporter.setConfig(on);
    await pass(clock, 5000);
    for (const node of 'bcd') silent.add(`address-${node}`);
    members('b', 'c', 'd');
    api.writes.length = 0;
    await pass(clock, 20_000, 100);
    assert.ok(api.writes.length >= 5 && api.writes.length <= 7, `${api.writes.length} writes in 20 s`);
  });

  test('writes the present state when the API server is back', async (t) => {
    const { api, clock, reporter, silent, members, report } = setUp(t);
    reporter.setConfig(on);
    await pass(clock, 5000);
    api.before = () => {
      throw new ApiError(0, 'ECONNREFUSED', 'away');
    };
    silent.add('address-d');
    members('d');
    await pass(clock, 5000);
    assert.equal(report(), '');
    silent.clear();
    silent.add('address-c');
    members('c');
    await pass(clock, 1000);
    api.before = () => {};
    await pass(clock, 10_000, 100);
    assert.equal(report(), 'c');
    assert.deepEqual(reporter.troubles(), []);
  });

  test('logs only once that the API server refuses reports, and lists this as a trouble until a report is written', async (t) => {
    const { api, clock, lines, reporter } = setUp(t);
    api.before = () => {
      throw new ApiError(403, 'Forbidden', 'leases is forbidden');
    };
    reporter.setConfig(on);
    await pass(clock, 60_000, 500);
    assert.equal(lines.filter(({ msg }) => msg === 'death report not written, retrying').length, 1);
    assert.match(reporter.troubles().join(), /does not take this speaker's death report: .*forbidden/);
    api.before = () => {};
    await pass(clock, 10_000, 500);
    assert.deepEqual(reporter.troubles(), []);
  });

  test('lists as a trouble the nodes that drop its connections', async (t) => {
    const { clock, reporter, silent } = setUp(t);
    silent.add('address-c');
    reporter.setConfig(on);
    await pass(clock, 5000);
    assert.deepEqual(reporter.troubles(), [
      'dead nodes: TCP connections to port 7946 of c are neither refused nor accepted, so this speaker could not report a death there',
    ]);
  });
});
