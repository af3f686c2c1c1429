/**
 * Measures the controller process with 10,000 Services and the lab's API server. First, 16 clients create all Services while a controller
 * runs (the storm). Then a new controller starts, and all Services exist already (the cold start).
 *   .cache/bin/node bench/controller.ts [--services N]
 * For the storm, the bench measures how long the creations take, and the time from the last creation to the last address. It also counts
 * the Services whose status the controller writes within 10 ms, 100 ms and 1 s after it has seen them. For the cold start, the bench measures
 * two times from the start of the process: until the controller knows the state of the cluster, and until a new Service has its address.
 */
import { parseArgs } from 'node:util';
import { addresses, makeService, makeServices, writeConfig } from '../test/e2e/controller-fixtures.ts';
import { ControlPlane, type LogLine } from '../test/support/control-plane.ts';
import { eventually } from '../test/support/eventually.ts';

const { values } = parseArgs({ options: { services: { type: 'string', default: '10000' } } });
const count = Number(values.services);
const deadlineMs = 300_000;

function report(what: string, figure: string): void {
  console.log(`${what.padEnd(62)} ${figure}`);
}

function milliseconds(line: LogLine | undefined, since: number): string {
  return `${Date.parse(String(line?.ts)) - since} ms`;
}

const plane = await ControlPlane.start();
try {
  await writeConfig(plane, 'address-pools:\n- {name: big, protocol: bgp, addresses: [10.0.0.0/15]}\n');
  const controller = plane.controller();
  await controller.logged('configuration accepted');
  const begun = performance.now();
  await makeServices(plane, count);
  const made = performance.now();
  const written = () => controller.metric('bellman_controller_allocation_seconds_count');
  await eventually('all addresses', async () => (await written()) === count, { deadlineMs });
  const finished = performance.now();
  report(`storm: ${count} Services created by 16 clients at once`, `${Math.round(made - begun)} ms`);
  report('storm: last address after the last creation', `${Math.round(finished - made)} ms`);
  for (const [metric, what] of [
    ['bellman_controller_allocation_seconds_bucket{le="0.01"}', 'within 10 ms'],
    ['bellman_controller_allocation_seconds_bucket{le="0.1"}', 'within 100 ms'],
    ['bellman_controller_allocation_seconds_bucket{le="1"}', 'within 1 s'],
  ] as const) {
    const share = (((await controller.metric(metric)) ?? 0) / count) * 100;
    report(`storm: from Service seen to status written, ${what}`, `${share.toFixed(1)} %`);
  }
  const { now, peak } = await controller.memory();
  report('storm: memory of the controller, now and peak', `${now} MiB, ${peak} MiB`);
  await controller.stop();

  await plane.knob('reset');
  const startedAt = Date.now();
  const again = plane.controller();
  const known = await again.logged('in sync');
  report('cold start: in sync after', milliseconds(known, startedAt));
  await makeService(plane, 'latecomer');
  await eventually('its address', async () => (await addresses(plane, 'latecomer')).length === 1, {
    deadlineMs,
  });
  const served = again.lines.find(({ service }) => service === 'default/latecomer');
  report('cold start: a new Service served after', milliseconds(served, startedAt));
  const requests = await plane.requests('bellman-controller');
  report(
    'cold start: writes of status, including the new Service',
    String(requests.get('PATCH services/status')),
  );
  const cold = await again.memory();
  report('cold start: memory of the controller, now and peak', `${cold.now} MiB, ${cold.peak} MiB`);
} finally {
  await plane.stop();
}
