import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { systemClock } from '../../../src/clock.ts';
import { registerProcessMetrics } from '../../../src/telemetry/process-metrics.ts';

test('registerProcessMetrics() reports version, CPU time, memory, start and descriptors of the process', async () => {
  const registry = new Registry();
  registerProcessMetrics(registry, systemClock, { component: 'speaker', version: '1.2.3' });
  const text = await registry.metrics();
  const build = `bellman_build_info{component="speaker",version="1.2.3",node_version="${process.version}"} 1`;
  assert.ok(text.includes(build), text);
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  const { user, system } = process.cpuUsage();
  const cpuSeconds = value('process_cpu_seconds_total');
  assert.ok(cpuSeconds > 0 && cpuSeconds <= (user + system) / 1e6, `${cpuSeconds} s of CPU time`);
  assert.ok(value('process_resident_memory_bytes') > 1e6);
  const startedSeconds = systemClock.epochMs() / 1000 - process.uptime();
  assert.ok(Math.abs(value('process_start_time_seconds') - startedSeconds) < 60);
  assert.ok(value('process_open_fds') >= 3 && value('process_open_fds') <= value('process_max_fds'));
  assert.match(await registry.metrics(), /^process_cpu_seconds_total \d/m, 'a second scrape works');
});
