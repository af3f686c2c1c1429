/**
 * How long a client is without an answer when the node that answers in layer 2 dies, and when it stops as planned.
 *   lab/world .cache/bin/node bench/failover.ts [ROUNDS]
 * Five nodes, fifty addresses, default settings. A client on the segment opens a connection to one address of the victim every 10 ms;
 * the figure is its longest time without an answer, so it holds detection, agreement, takeover and the client's own ARP. Death is SIGKILL
 * of the speaker with everything that arrives at the node lost; the planned stop is SIGTERM.
 */
import type { LabNode } from '../lab/fabric.ts';
import { Lab, type ProbeResult } from '../lab/lab.ts';
import { ownerOf } from '../lab/steps.ts';

const rounds = Number(process.argv[2] ?? 20);
const addressCount = 50;
const lab = await Lab.start({ nodes: 5 });
await lab.configure(`address-pools:
- {name: office, protocol: layer2, addresses: [192.0.2.150-192.0.2.220]}
`);
const services = Array.from({ length: addressCount }, (_, i) => `s${i + 1}`);
await lab.addPods('all', lab.fabric.nodes);
const [slice] = JSON.parse(await lab.kubectl('get', 'endpointslices', '-o', 'json')).items as [
  { addressType: string; ports: object[]; endpoints: object[] },
];
await lab.apply(
  ...services.flatMap((name) => [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: { type: 'LoadBalancer', selector: { app: 'all' }, ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${name}-ipv4`,
        namespace: 'default',
        labels: { 'kubernetes.io/service-name': name },
      },
      addressType: slice.addressType,
      ports: slice.ports,
      endpoints: slice.endpoints,
    },
  ]),
);

/** Addresses by the node that says it answers for them. */
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
    'every address has exactly one owner, every speaker is back',
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

async function round(
  end: (victim: LabNode) => Promise<void>,
  back: (victim: LabNode) => Promise<void>,
): Promise<ProbeResult> {
  await settled();
  const by = await owners();
  const [name, held] = [...by].sort((a, b) => b[1].length - a[1].length)[0] ?? ['', []];
  const victim = lab.node(name);
  const address = held[0] ?? '';
  const prober = lab.probe(lab.fabric.near, address);
  await prober.ready;
  await lab.until('the client is answered', async () => (await ownerOf(lab, address)) === victim);
  await end(victim);
  await lab.until('another node answers', async () => {
    const now = await ownerOf(lab, address);
    return now !== undefined && now !== victim;
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const result = await prober.stop();
  const loads = [...(await owners())]
    .filter(([node]) => node !== name)
    .map(([, addresses]) => addresses.length);
  if (Math.max(...loads) - Math.min(...loads) > 1) console.log(`  not even after ${name}: ${loads}`);
  await back(victim);
  return result;
}

function report(what: string, results: readonly ProbeResult[]): void {
  const gaps = results.map(({ longestGapMs }) => longestGapMs).sort((a, b) => a - b);
  const lost = results.map(({ asked, answered }) => asked - answered);
  console.log(
    `${what}: ${results.length} rounds, longest gap median ${gaps[Math.floor(gaps.length / 2)]} ms, worst ${gaps.at(-1)} ms; requests lost per round: median ${lost.sort((a, b) => a - b)[Math.floor(lost.length / 2)]}, worst ${lost.at(-1)}`,
  );
  console.log(`  gaps: ${gaps.join(' ')}`);
}

const died: ProbeResult[] = [];
const stopped: ProbeResult[] = [];
for (let i = 0; i < rounds; i++) {
  died.push(
    await round(
      (victim) => lab.killNode(victim),
      (victim) => lab.reviveNode(victim),
    ),
  );
  stopped.push(
    await round(
      (victim) => lab.stop(`speaker-${victim.name}`),
      async (victim) => lab.startSpeaker(victim),
    ),
  );
}
report('killed', died);
report('stopped as planned', stopped);
await lab.close();
process.exit(0);
