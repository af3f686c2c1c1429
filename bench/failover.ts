/**
 * How long clients get no answer from layer-2 addresses after their node dies, and after the speaker of that node stops as planned.
 *   lab/world .cache/bin/node bench/failover.ts [ROUNDS]
 * Five nodes serve fifty dual-stack Services with default settings. Every millisecond, a client on the segment sends a datagram to the next of
 * the fifty IPv4 addresses. The figure of a round is the longest time for which any single address gave no answer. It includes detection,
 * agreement, takeover, the update of the client's neighbour table, and up to 50 ms between two datagrams to one address. For a death, the bench
 * pulls out the cable of a node, the victim, and kills its speaker. For a planned stop, it sends SIGTERM to the speaker of the victim. The bench
 * fails in each of these cases:
 *
 * - Before or after a death or stop, no node or several nodes answer for an address of the victim, by ARP or Neighbour Discovery.
 * - One survivor answers for at least two more IPv4 addresses than another.
 * - An address moves when the victim returns.
 * - A planned stop loses a datagram.
 * - The gap after a death exceeds 600 ms in the median, or one second in any round.
 */
import type { LabNode } from '../lab/fabric.ts';
import { Lab } from '../lab/lab.ts';

const rounds = Number(process.argv[2] ?? 20);
const serviceCount = 50;
const addressCount = 2 * serviceCount;
const limitMs = { median: 600, worst: 1000 };
const lab = await Lab.start({ nodes: 5 });
await lab.configure(`address-pools:
- {name: office, protocol: layer2, addresses: [192.0.2.150-192.0.2.220, 2001:db8:2::150-2001:db8:2::220]}
`);
const services = Array.from({ length: serviceCount }, (_, i) => `s${i + 1}`);
const [home, ...mortal] = lab.fabric.nodes;
if (!home) throw new Error('a lab without nodes');
// All pods run on a node that never dies, so every lost datagram is lost on its way to the node that answers.
await lab.addPods('all', [home, home, home]);
const slices = JSON.parse(await lab.kubectl('get', 'endpointslices', '-o', 'json')).items as readonly {
  readonly addressType: string;
  readonly endpoints: readonly object[];
}[];
await lab.apply(
  ...services.flatMap((name) => [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: {
        type: 'LoadBalancer',
        ipFamilyPolicy: 'RequireDualStack',
        ipFamilies: ['IPv4', 'IPv6'],
        selector: { app: 'all' },
        ports: [{ name: 'echo', protocol: 'UDP', port: 80, targetPort: 8080 }],
      },
    },
    ...slices.map(({ addressType, endpoints }) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${name}-${addressType.toLowerCase()}`,
        namespace: 'default',
        labels: { 'kubernetes.io/service-name': name },
      },
      addressType,
      ports: [{ name: 'echo', protocol: 'UDP', port: 8080 }],
      endpoints,
    })),
  ]),
);

/** The addresses for which each node says that it answers. */
async function owners(): Promise<Map<string, string[]>> {
  const by = new Map<string, string[]>();
  for (const { name, namespace } of lab.fabric.nodes) {
    const { announcing } = (await lab.status(namespace).catch(() => ({ announcing: {} }))) as {
      announcing: Record<string, string>;
    };
    by.set(name, Object.keys(announcing));
  }
  return by;
}

async function settled(): Promise<void> {
  await lab.until(
    'every address has exactly one owner and every speaker runs',
    async () => {
      const all = [...(await owners()).values()].flat();
      if (all.length !== addressCount || new Set(all).size !== addressCount) return false;
      const views = await Promise.all(lab.fabric.nodes.map(({ namespace }) => lab.status(namespace)));
      return views.every(
        (view) =>
          (view as { members: { state: string }[] }).members.filter(({ state }) => state === 'alive')
            .length === 4,
      );
    },
    60_000,
  );
}

const isIpv4 = (address: string) => address.includes('.');

/** For each of the addresses, the number of nodes that answer a request by ARP or Neighbour Discovery. */
async function countAnswerers(addresses: readonly string[]): Promise<number[]> {
  return Promise.all(addresses.map(async (address) => (await lab.answerers(address)).size));
}

function fail(what: string): void {
  console.log(`  ${what}`);
  process.exitCode = 1;
}

interface Round {
  readonly longestGapMs: number;
  readonly lost: number;
}

async function round(
  what: string,
  end: (victim: LabNode) => Promise<void>,
  back: (victim: LabNode) => Promise<void>,
): Promise<Round> {
  await settled();
  const by = await owners();
  const [victim] = [...mortal].sort((a, b) => (by.get(b.name)?.length ?? 0) - (by.get(a.name)?.length ?? 0));
  if (!victim) throw new Error('no node to stop');
  const { name } = victim;
  const held = by.get(name) ?? [];
  const others = lab.fabric.nodes.filter((node) => node !== victim);
  const before = await countAnswerers(held);
  const prober = lab.probeDatagrams(lab.fabric.near, [...by.values()].flat().filter(isIpv4));
  await prober.ready;
  await new Promise((resolve) => setTimeout(resolve, 500));
  await end(victim);
  await lab.until('the other nodes answer for all addresses', async () => {
    const now = await owners();
    const answered = others.flatMap((node) => now.get(node.name) ?? []);
    return held.every((address) => answered.includes(address));
  });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const results = await prober.stop();
  const after = await countAnswerers(held);
  const now = await owners();
  const loads = others.map((node) => now.get(node.name)?.filter(isIpv4).length ?? 0);
  if (Math.max(...loads) - Math.min(...loads) > 1) fail(`${what} ${name}: uneven loads ${loads}`);
  if ([...before, ...after].some((count) => count !== 1))
    fail(`${what} ${name}: answerers of ${held}: before ${before}, after ${after}`);
  await back(victim);
  await settled();
  const later = await owners();
  const moved = others.flatMap((node) =>
    (now.get(node.name) ?? []).filter((address) => !later.get(node.name)?.includes(address)),
  );
  if (moved.length > 0) fail(`${what} ${name}: moved when the node returned: ${moved}`);
  return {
    longestGapMs: Math.max(...results.map(({ longestGapMs }) => longestGapMs)),
    lost: results.reduce((sum, { asked, answered }) => sum + asked - answered, 0),
  };
}

function report(what: string, results: readonly Round[]): void {
  const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
  const gaps = sorted(results.map(({ longestGapMs }) => longestGapMs));
  const lost = sorted(results.map((each) => each.lost));
  const middle = Math.floor(results.length / 2);
  console.log(
    `${what}: ${results.length} rounds, longest gap of any address median ${gaps[middle]} ms, worst ${gaps.at(-1)} ms; datagrams lost per round: median ${lost[middle]}, worst ${lost.at(-1)}`,
  );
  console.log(`  gaps: ${gaps.join(' ')}`);
}

await settled();
await lab.until('every address is answered', async () => {
  const prober = lab.probeDatagrams(lab.fabric.near, [...(await owners()).values()].flat().filter(isIpv4));
  await prober.ready;
  await new Promise((resolve) => setTimeout(resolve, 200));
  return (await prober.stop()).every(({ asked, answered }) => answered === asked);
});

const died: Round[] = [];
const stopped: Round[] = [];
for (let i = 0; i < rounds; i++) {
  died.push(
    await round(
      'killed',
      async (victim) => {
        await lab.plugNode(victim, false);
        await lab.stop(`speaker-${victim.name}`, 'SIGKILL');
      },
      async (victim) => {
        await lab.plugNode(victim, true);
        lab.startSpeaker(victim);
      },
    ),
  );
  stopped.push(
    await round(
      'stopped',
      (victim) => lab.stop(`speaker-${victim.name}`),
      async (victim) => lab.startSpeaker(victim),
    ),
  );
}
const gaps = died.map(({ longestGapMs }) => longestGapMs).sort((a, b) => a - b);
const isWithin = (gaps[Math.floor(rounds / 2)] ?? 0) <= limitMs.median && (gaps.at(-1) ?? 0) <= limitMs.worst;
report('killed', died);
if (isWithin) console.log(`  within median ${limitMs.median} ms, worst ${limitMs.worst} ms`);
else fail(`OVER median ${limitMs.median} ms, worst ${limitMs.worst} ms`);
report('stopped as planned', stopped);
if (stopped.some(({ lost }) => lost > 0)) fail('a planned stop lost datagrams');
await lab.close();
process.exit();
