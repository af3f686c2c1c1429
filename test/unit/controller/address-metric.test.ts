import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { parseConfig } from '../../../src/config/index.ts';
import { Allocator } from '../../../src/controller/allocator/allocator.ts';
import { ControllerMetrics } from '../../../src/controller/metrics.ts';
import { decodeService } from '../../../src/kubernetes/decode.ts';
import { metricPieces } from '../../../src/telemetry/metrics-text.ts';
import { config, pool } from './controller-harness.ts';

const services = Array.from({ length: 1000 }, (_, i) =>
  decodeService({
    metadata: { name: `s${i}`, namespace: 'default' },
    ...{ spec: { type: 'LoadBalancer', ports: [{ port: 80 }] }, status: {} },
  }),
);

test('the metric of assigned addresses is collected in slices, and shows each address once, whatever the allocator decides meanwhile', async () => {
  const registry = new Registry();
  const metrics = new ControllerMetrics(registry);
  /** The Service that the metric visits last; `undefined` until the metric asks for the list of Services. */
  let last: string | undefined;
  class ObservedAllocator extends Allocator {
    override services(): readonly string[] {
      const all = super.services();
      last = all.at(-1);
      return all;
    }
  }
  const allocator = new ObservedAllocator();
  const parsed = parseConfig(config(pool('big', '10.0.0.0/16')));
  assert.ok(parsed.ok);
  allocator.setConfig(parsed.value);
  for (const service of services) allocator.reconcile(service);
  metrics.termBegun({ allocator, pools: () => [], queued: () => 0, deaths: () => [] });
  let waits = 0;
  const turns = {
    get hasTime() {
      return waits++ % 2 === 1;
    },
    next: async () => {
      // Between two slices, the controller decides about all Services again.
      for (const service of services) allocator.reconcile(service);
      if (last !== undefined) allocator.release(last);
    },
  };
  const shown = (await text(metricPieces(registry, turns)))
    .split('\n')
    .filter((line) => line.startsWith('bellman_allocator_address_assigned{'));
  assert.equal(new Set(shown).size, shown.length);
  assert.equal(shown.length, 999, 'the Service that was released meanwhile is not shown');
});
