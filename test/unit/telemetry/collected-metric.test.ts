import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { registerCollected, type Sample } from '../../../src/telemetry/collected-metric.ts';
import { type ConfigInForce, registerConfigMetrics } from '../../../src/telemetry/config-metrics.ts';

const samplesOf = async (registry: Registry) =>
  (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('registerCollected() writes the samples of the moment and escapes the values of labels', async () => {
  const registry = new Registry();
  let samples: Sample[] = [[{ name: 'a "quoted" \\ name\n' }, 2]];
  registerCollected(registry, {
    ...{ name: 'example', help: 'An example.', type: 'gauge', labelNames: ['name'] },
    samples: () => samples,
  });
  const text = await registry.metrics();
  assert.ok(text.startsWith('# HELP example An example.\n# TYPE example gauge\n'), text);
  assert.deepEqual(await samplesOf(registry), ['example{name="a \\"quoted\\" \\\\ name\\n"} 2']);
  samples = [];
  assert.deepEqual(await samplesOf(registry), []);
});

test('registerConfigMetrics() names the configuration in force, and nothing while there is none', async () => {
  const registry = new Registry();
  let inForce: ConfigInForce | undefined;
  registerConfigMetrics(registry, () => inForce);
  assert.deepEqual(await samplesOf(registry), []);
  inForce = { hash: '0123456789abcdef', generation: 7 };
  assert.deepEqual(await samplesOf(registry), [
    'bellman_config_generation 7',
    'bellman_config_info{hash="0123456789abcdef"} 1',
  ]);
});
