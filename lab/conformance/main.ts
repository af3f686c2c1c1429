/**
 * Runs Kubernetes' own tests of Services in a cluster with Bellman, and writes docs/reference/conformance.md. `run` starts this program, and
 * docs/design/real-kubernetes.md describes it.
 *   node lab/conformance/main.ts [--focus REGULAR-EXPRESSION]
 * With --focus, the program runs only the tests whose names match, and does not write the page. The logs and the results are in .cache/conformance.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../../scripts/target.ts';
import { Cluster } from '../cluster/cluster.ts';
import { plug } from '../netns.ts';
import { clusterDns, dns } from './dns.ts';
import { type Part, parts, testsOf } from './parts.ts';
import { pageOf, problemsIn, type Report, resultsOf, suiteFailures } from './results.ts';

const nodeCount = 3;
/** Number of tests that run at the same time. Most tests spend most of their time waiting. */
const processCount = 4;
const output = join(root, '.cache/conformance');
const page = join(root, 'docs/reference/conformance.md');

const { values: flags } = parseArgs({ options: { focus: { type: 'string' } } });
const { BELLMAN_CONFORMANCE: programs, BELLMAN_CONFORMANCE_IMAGES: images } = process.env;
if (programs === undefined || images === undefined)
  throw new Error('the tests need programs and images: start this with lab/conformance/run');

const config = `peers:
- my-asn: 64512
  peer-asn: 64500
  peer-address: 192.0.2.1
  hold-time: 9s
address-pools:
- name: public
  protocol: bgp
  addresses: [198.51.100.0/24, 2001:db8:100::/112]
`;

const say = (text: string) => console.log(`conformance: ${text}`);

/** Installs Bellman and the cluster DNS, and resolves once both work. */
async function install(cluster: Cluster): Promise<void> {
  await cluster.kubectl('apply', '-k', join(root, 'manifests'));
  const metadata = { name: 'config', namespace: 'bellman-system' };
  await cluster.apply('config', { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { config } });
  await cluster.apply('dns', ...clusterDns());
  for (const [namespace, what] of [
    ['bellman-system', 'daemonset/speaker'],
    ['bellman-system', 'deployment/controller'],
    ['kube-system', 'deployment/coredns'],
  ] as const)
    await cluster.until(`${what} is ready`, async () => {
      await cluster.kubectl('rollout', 'status', '-n', namespace, what, '--timeout', '10s');
      return true;
    });
  await cluster.until(
    `the router has ${nodeCount} sessions`,
    async () => (await cluster.birdc('show', 'protocols')).match(/Established/g)?.length === nodeCount,
  );
}

/** Prepares the lab for a part of the tests. */
async function prepare(cluster: Cluster, { hashPolicy, schedulableNodes }: Part): Promise<void> {
  const { router, nodes } = cluster.fabric;
  const policy = ['ipv4', 'ipv6'].map((family) => `net.${family}.fib_multipath_hash_policy=${hashPolicy}`);
  await router.exec('sysctl', '-qw', ...policy);
  for (const { name } of nodes.slice(schedulableNodes)) await cluster.kubectl('cordon', name);
}

/** The names of all tests that the program has. */
function allTests(program: string): readonly string[] {
  // The program wants a kubeconfig even to print a list, but does not read it.
  const text = execFileSync(program, ['--list-tests', '--kubeconfig=/dev/null'], { encoding: 'utf8' });
  return Array.from(text.matchAll(/^ +\S+\.go:\d+: (.+)$/gm), ([, name = '']) => name);
}

/** Resolves to the report once all these tests have ended. */
async function run(cluster: Cluster, part: Part, program: string, tests: readonly string[]): Promise<Report> {
  const json = `${part.name}.json`;
  const exactly = tests.map((name) => name.replaceAll(/[^\w ]/g, String.raw`\$&`)).join('|');
  const ginkgo = [
    ...['--no-color', '--timeout=4h', '--poll-progress-after=0', `--procs=${processCount}`],
    ...[`--output-dir=${output}`, `--json-report=${json}`, `--junit-report=${part.name}.xml`],
    `--focus=(${exactly})$`,
  ];
  const suite = [
    ...[`--kubeconfig=${cluster.kubeconfig}`, `--kubectl-path=${cluster.program('kubectl')}`],
    ...['--provider=skeleton', `--num-nodes=${nodeCount}`, `--dns-domain=${dns.domain}`],
    // To the suite, a node that `prepare` has cordoned is not ready.
    ...[`--allowed-not-ready-nodes=${nodeCount - part.schedulableNodes}`, '--prepull-images=false'],
  ];
  const child = cluster.fabric.far.spawn(
    join(programs ?? '', 'ginkgo'),
    [...ginkgo, program, '--', ...suite],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      // Ginkgo writes files to the folder in which it starts.
      cwd: output,
    },
  );
  await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return JSON.parse(readFileSync(join(output, json), 'utf8')) as Report;
}

const program = join(programs, 'e2e.test');
const names = allTests(program);
rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });
const archives = readdirSync(images).map((name) => join(images, name));
say(`starting a cluster of ${nodeCount} nodes`);
let started: Cluster | undefined;
try {
  const cluster = await Cluster.start(nodeCount, { images: archives, dns, reportsIpv6: false });
  started = cluster;
  const { far, control } = cluster.fabric;
  // The tests send requests to the API server, so their host has an interface in the management network. Everything else goes through the router.
  await plug({ namespace: far, interface: 'mgmt0', addresses: ['10.255.0.200/24'] }, control, 'mgmt', 'far');
  await install(cluster);
  const reports: Report[] = [];
  for (const part of parts) {
    const tests = testsOf(part, names, flags.focus === undefined ? undefined : new RegExp(flags.focus));
    if (tests.length === 0) continue;
    say(`running ${tests.length} tests of the part ${part.name}`);
    await prepare(cluster, part);
    reports.push(await run(cluster, part, program, tests));
  }
  const results = resultsOf(reports);
  const problems = [...suiteFailures(reports), ...(flags.focus === undefined ? problemsIn(results) : [])];
  const failed = results.filter(({ state }) => state === 'failed').length;
  const passed = results.filter(({ state }) => state === 'passed').length;
  if (flags.focus === undefined) {
    const [, version = ''] = /k8s\.io\/kubernetes (v\S+)/.exec(
      readFileSync(join(import.meta.dirname, 'go.mod'), 'utf8'),
    ) ?? [''];
    writeFileSync(page, pageOf(results, version));
    say(`the page is ${page}`);
  }
  for (const problem of problems) say(problem);
  say(`${passed} passed, ${failed} failed; reports are in ${output}`);
  if (problems.length > 0 || failed > 0 || passed === 0) process.exitCode = 1;
} finally {
  // A cluster that does not start leaves logs too.
  mkdirSync('/tmp/cluster', { recursive: true });
  for (const name of readdirSync('/tmp/cluster').filter((file) => file.endsWith('.log')))
    copyFileSync(join('/tmp/cluster', name), join(output, name));
  await started?.close();
}
