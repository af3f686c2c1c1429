import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { Counter, Gauge, Registry } from 'prom-client';
import { mergedMetrics, peerMachines, sharedBfdMachine } from '../../../src/speaker/http.ts';
import { ip } from '../../support/addresses.ts';

test('peerMachines() names the BGP machine and the BFD machine of each peer that has the address', () => {
  const peers = [
    { name: 'router', address: ip('192.0.2.1') },
    { name: 'router on another port', address: ip('192.0.2.1') },
    { name: 'rack', address: ip('2001:db8::1') },
  ];
  assert.deepEqual(peerMachines(peers, '192.0.2.1'), [
    'peer router',
    'bfd router',
    'peer router on another port',
    'bfd router on another port',
  ]);
  assert.deepEqual(peerMachines(peers, '2001:db8::1'), ['peer rack', 'bfd rack']);
  assert.deepEqual(peerMachines(peers, '192.0.2.10'), []);
});

test('sharedBfdMachine() names the machine that watches a peer under the name of another peer', () => {
  const sessions = [[{ name: 'router' }, { name: 'second' }], [{ name: 'rack' }]];
  assert.equal(sharedBfdMachine(sessions, 'bfd second'), 'bfd router');
  for (const machine of ['bfd router', 'bfd rack', 'peer second', 'bfd third'])
    assert.equal(sharedBfdMachine(sessions, machine), undefined, machine);
});

test('mergedMetrics() adds up the metrics that this process and a child process report, and keeps the rest', async () => {
  const registry = new Registry();
  const failures = new Counter({
    name: 'failures_total',
    help: 'Failures.',
    labelNames: ['kind'],
    registers: [registry],
  });
  failures.inc({ kind: 'a' }, 2);
  new Gauge({ name: 'own', help: 'Own.', registers: [registry] }).set(5);
  const child = (name: string, labels: object, value: number) => ({
    ...{ name, help: `${name}.`, type: 'counter', aggregator: 'sum', values: [{ labels, value }] },
  });
  const pieces = mergedMetrics(registry, [
    child('failures_total', { kind: 'a' }, 1),
    child('child_total', {}, 4),
  ]);
  const lines = (await text(pieces)).split('\n').filter((line) => line !== '');
  assert.deepEqual(lines.toSorted(), [
    '# HELP child_total child_total.',
    '# HELP failures_total Failures.',
    '# HELP own Own.',
    '# TYPE child_total counter',
    '# TYPE failures_total counter',
    '# TYPE own gauge',
    'child_total 4',
    'failures_total{kind="a"} 3',
    'own 5',
  ]);
});
