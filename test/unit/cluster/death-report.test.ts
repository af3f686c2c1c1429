import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeDeathReport } from '../../../src/cluster/death-report.ts';
import { annotations } from '../../../src/cluster/names.ts';

const lease = (name: string, deadNodes?: string) => ({
  metadata: {
    ...{ name, namespace: 'bellman-system', resourceVersion: '7' },
    annotations: deadNodes === undefined ? {} : { [annotations.deadNodes]: deadNodes },
  },
});

test('decodeDeathReport() reads the names of the dead nodes', () => {
  assert.deepEqual(decodeDeathReport(lease('speaker-a', 'b,,c')), {
    ...{ speaker: 'a', deadNodes: ['b', 'c'], resourceVersion: '7' },
  });
  assert.deepEqual(decodeDeathReport(lease('speaker-a'))?.deadNodes, []);
  assert.equal(decodeDeathReport(lease('bellman-controller', 'b')), undefined);
});

test('decodeDeathReport() reads only 100 names, because no speaker writes more', () => {
  const names = Array.from({ length: 50_000 }, (_, i) => `n${i}`);
  assert.equal(decodeDeathReport(lease('speaker-a', names.join()))?.deadNodes.length, 100);
});
