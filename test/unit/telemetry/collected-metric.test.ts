import assert from 'node:assert/strict';
import { text as textOfStream } from 'node:stream/consumers';
import { test } from 'node:test';
import { Gauge, Registry } from 'prom-client';
import { registerCollected, type Sample } from '../../../src/telemetry/collected-metric.ts';
import { type ConfigInForce, registerConfigMetrics } from '../../../src/telemetry/config-metrics.ts';
import { metricPieces } from '../../../src/telemetry/metrics-text.ts';

const textOf = (...args: Parameters<typeof metricPieces>) => textOfStream(metricPieces(...args));
const samplesOf = async (registry: Registry) =>
  (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('registerCollected() asks for the samples at each reading of the registry, and escapes the values of labels', async () => {
  const registry = new Registry();
  let samples: Sample[] = [[{ name: 'a "quoted" \\ name\n' }, 2]];
  registerCollected(registry, {
    ...{ name: 'example', help: 'An example.', type: 'gauge', labelNames: ['name'] },
    samples: () => samples,
  });
  const text = await registry.metrics();
  assert.ok(text.startsWith('# HELP example An example.\n# TYPE example gauge\n'), text);
  assert.deepEqual(await samplesOf(registry), ['example{name="a \\"quoted\\" \\\\ name\\n"} 2']);
  assert.deepEqual(await textOf(registry, undefined), `${text.trimEnd()}\n\n\n`);
  samples = [];
  assert.deepEqual(await samplesOf(registry), []);
});

test('registerConfigMetrics() names the configuration in force, and writes no sample while there is none', async () => {
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

test('metricPieces() samples a long metric at one moment and writes it in several turns, and writes other metrics as prom-client does', async () => {
  const registry = new Registry();
  new Gauge({ name: 'other', help: 'Another.', registers: [registry] }).set(1);
  let value = 1;
  registerCollected(registry, {
    ...{ name: 'long', help: 'A long one.', type: 'counter', labelNames: ['n'] },
    samples: () => Array.from({ length: 1000 }, (_, n): Sample => [{ n: String(n) }, value]),
  });
  let waits = 0;
  const turns = {
    get hasTime() {
      return waits++ % 2 === 1;
    },
    next: async () => {
      value = 2;
    },
  };
  const lines = (await textOf(registry, turns)).split('\n').filter((line) => line !== '');
  assert.ok(waits > 4);
  assert.deepEqual(lines.slice(0, 3), ['# HELP long A long one.', '# TYPE long counter', 'long{n="0"} 1']);
  assert.equal(lines.filter((line) => /^long\{n="\d+"\} 1$/.test(line)).length, 1000);
  assert.deepEqual(lines.slice(-3), ['# HELP other Another.', '# TYPE other gauge', 'other 1']);
});
