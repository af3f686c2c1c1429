/**
 * The controller process in a large cluster. First all Services are made. Then many Namespaces are made while as many others change their labels.
 * At last the configuration is edited.
 *   BELLMAN_PROGRAM=$PWD/dist/bellman lab/world .cache/bin/node bench/controller-scale.ts [--services 100000] [--namespaces 1000]
 * The pool selects Namespaces by a label, so a changed label makes the controller decide about the Services in that Namespace again. In all phases, a
 * program asks for `/healthz` 20 ms after each answer. Fails when an answer is not 200 or takes longer than 100 ms, when the Lease changes hands or
 * is not renewed, when the memory exceeds 256 MB, or when the edit costs more than 5 s of CPU for 100,000 Services.
 *
 * The API server and this program are one process each, and share the machine with the controller. The bench therefore shows the CPU time of all
 * three. On a busy machine, a turn of the controller's event loop also waits for a processor. The bench therefore shows the CPU time of the longest
 * turn beside its wall time.
 */
import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ownHost } from '../lab/processes.ts';
import { controllerLeaseName } from '../src/cluster/names.ts';
import { paths } from '../src/kubernetes/write.ts';
import { writeConfig } from '../test/e2e/controller-fixtures.ts';
import { ControlPlane } from '../test/support/control-plane.ts';
import { eventually } from '../test/support/eventually.ts';
import type { HealthAnswers } from './health-probe.ts';
import { inParallel, isServed, type ServiceStatus, servedServices } from './support/many-requests.ts';
import { longestTurnOf, loopProbeVariables, probeHealth, turnText } from './support/process-probes.ts';
import { processesOf, usageOf } from './support/processes.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '100000' },
    namespaces: { type: 'string', default: '1000' },
  },
});
const [services, namespaces] = [Number(values.services), Number(values.namespaces)];
const limits = {
  healthMs: 100,
  memoryMb: 256,
  leaseSeconds: 15,
  editCpuSeconds: Math.max(1, (5 * services) / 100_000),
};
const deadlineMs = 300_000 + services * 30;
const lease = `${paths.leases('bellman-system')}/${controllerLeaseName}`;

interface Lease {
  readonly spec: {
    readonly holderIdentity: string;
    readonly leaseTransitions?: number;
    readonly renewTime: string;
  };
}

function report(what: string, figure: string, isRight = true): void {
  console.log(`${what.padEnd(70)} ${figure}${isRight ? '' : '  TOO MUCH'}`);
  if (!isRight) process.exitCode = 1;
}

const plane = await ControlPlane.start();
try {
  const team = (i: number) => `team-${i}`;
  const makeNamespace = (name: string) =>
    plane.create('/api/v1/namespaces', { metadata: { name, labels: { served: 'yes' } } });
  const pools =
    'address-pools:\n- {name: big, protocol: bgp, addresses: [10.0.0.0/8], namespace-selectors: [{match-labels: {served: "yes"}}]}\n';
  await writeConfig(plane, pools);
  await inParallel(namespaces, (i) => makeNamespace(team(i)));
  const probes = join(plane.folder, 'loop-probes');
  mkdirSync(probes);
  const controller = plane.controllerWith(loopProbeVariables(probes));
  const { metricsPort } = await controller.logged('controller started');
  await controller.logged('configuration accepted');
  const servers = processesOf(realpathSync(process.execPath), (command) =>
    command.some((part) => part.endsWith('apiserver/main.ts')),
  );
  const reportWork = async (what: string, health: HealthAnswers) => {
    report(
      `/healthz while ${what}, ${health.count} requests: median, p99, most`,
      `${health.medianMs.toFixed(1)}, ${health.p99Ms.toFixed(1)}, ${health.mostMs.toFixed(1)} ms`,
      health.bad === 0 && health.mostMs <= limits.healthMs,
    );
    report('longest turn: CPU (wall)', turnText(await longestTurnOf(controller.pid, probes)));
    const cpu = [[controller.pid], servers, [process.pid]].map((pids) => usageOf(pids).cpuSeconds.toFixed(0));
    report('CPU so far: controller, API server, this program', `${cpu.join(', ')} s`);
    const { now, peak } = await controller.memory();
    report('memory, now and peak', `${now}, ${peak} MiB`, (peak * 2 ** 20) / 1e6 <= limits.memoryMb);
  };
  // A new Service gets its address only after the controller has handled everything that came before. Its address marks the end of the work.
  const untilLastServed = async (name: string) => {
    const collection = '/api/v1/namespaces/team-0/services';
    await plane.create(collection, {
      metadata: { name },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }], allocateLoadBalancerNodePorts: false },
    });
    const isLastServed = async () => isServed(await plane.get<ServiceStatus>(`${collection}/${name}`));
    await eventually(`the address of ${name}`, isLastServed, { deadlineMs });
  };
  const before = await plane.get<Lease>(lease);
  const begunMs = performance.now();
  const burst = await probeHealth(ownHost, `http://127.0.0.1:${String(metricsPort)}/healthz`);
  await inParallel(services, (i) =>
    plane.create(`/api/v1/namespaces/${team(i % namespaces)}/services`, {
      metadata: { name: `s${i}` },
      // There are fewer node ports than Services.
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }], allocateLoadBalancerNodePorts: false },
    }),
  );
  report(`${services} Services are made after`, `${((performance.now() - begunMs) / 1000).toFixed(0)} s`);
  // The controller's metrics have a line for each address, so this program reads them seldom. The metric
  // `bellman_controller_allocation_seconds` leaves out each write whose answer is lost. The program therefore asks the API server how many Services
  // have an address.
  const hasWritten = async () => {
    await pause(5000);
    return (
      (await controller.metric('bellman_controller_queue_depth')) === 0 &&
      (await servedServices(plane.client, paths.services)) >= services
    );
  };
  await eventually('all addresses', hasWritten, { deadlineMs });
  report('all have addresses after', `${((performance.now() - begunMs) / 1000).toFixed(0)} s`);
  await reportWork('Services get addresses', await burst());

  const health = await probeHealth(ownHost, `http://127.0.0.1:${String(metricsPort)}/healthz`);
  const stormMs = performance.now();
  await Promise.all([
    inParallel(namespaces, (i) => makeNamespace(`more-${i}`)),
    inParallel(namespaces, (i) =>
      plane.merge(`/api/v1/namespaces/${team(i)}`, { metadata: { labels: { round: '1' } } }),
    ),
  ]);
  await untilLastServed('last');
  const answers = await health();
  report(
    `${namespaces} Namespaces made and ${namespaces} changed at once, and decided about, after`,
    `${((performance.now() - stormMs) / 1000).toFixed(1)} s`,
  );
  await reportWork('Namespaces change', answers);

  const accepted = () => controller.messages.filter((msg) => msg === 'configuration accepted').length;
  const cpuBefore = usageOf([controller.pid]).cpuSeconds;
  const editHealth = await probeHealth(ownHost, `http://127.0.0.1:${String(metricsPort)}/healthz`);
  await writeConfig(plane, `${pools}- {name: small, protocol: bgp, addresses: [192.0.2.0/28]}\n`);
  await eventually('the edit is accepted', () => accepted() === 2, { deadlineMs });
  await untilLastServed('after-edit');
  const editAnswers = await editHealth();
  const editCpu = usageOf([controller.pid]).cpuSeconds - cpuBefore;
  report(
    `an edit that adds a pool, and the decisions after it: CPU, at most ${limits.editCpuSeconds} s`,
    `${editCpu.toFixed(1)} s`,
    editCpu <= limits.editCpuSeconds,
  );
  await reportWork('the edit takes effect', editAnswers);
  const { spec } = await plane.get<Lease>(lease);
  const isHeld =
    spec.holderIdentity === before.spec.holderIdentity &&
    spec.leaseTransitions === before.spec.leaseTransitions &&
    Date.now() - Date.parse(spec.renewTime) < limits.leaseSeconds * 1000;
  report('the Lease is held', isHeld ? 'yes' : 'no', isHeld);
} finally {
  await plane.stop();
}
