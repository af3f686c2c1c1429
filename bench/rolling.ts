/**
 * Counts the datagrams that are lost while the pods of a Service are replaced.
 *   lab/world .cache/bin/node bench/rolling.ts [ROUNDS]
 * On all nodes, kube-proxy loads its rules a second late. A client sends a datagram every millisecond, each as a flow of its own. In each round a
 * pod is replaced as a Deployment does it: the new pod becomes ready on another node, and the old one terminates. The bench counts the
 * datagrams without an answer for three Services: a Local one and a Cluster one that are announced by BGP (ECMP, BIRD), and a Local one in layer 2.
 * `announce-delay` is 3 s, and the bench fails when a datagram is lost. Then the Local Service by BGP is measured without `announce-delay`. The
 * datagrams lost in this last measurement do not count as a failure.
 */
import type { LabNode } from '../lab/fabric.ts';
import type { NetworkNamespace } from '../lab/netns.ts';
import { drainConfig } from '../test/support/drain.ts';
import { replaceAnswered, replaceAnywhere, replaceRouted, startRollingLab } from '../test/support/rolling.ts';

const rounds = Number(process.argv[2] ?? 20);
const roundsWithoutDelay = Math.min(rounds, 5);
const { lab, web, shop, printer } = await startRollingLab(3);
const { nodes, far, near } = lab.fabric;

interface Case {
  readonly name: string;
  readonly service: string;
  readonly address: string;
  readonly client: NetworkNamespace;
  readonly replace: typeof replaceRouted;
  /** The nodes that have a pod, by index. A round removes the first one, and adds the node of the new pod at the end. */
  readonly placed: number[];
  /** The node of the next pod, by index. */
  next: number;
}

function nodeAt(index: number): LabNode {
  const node = nodes[index % nodes.length];
  if (!node) throw new Error('the lab has no nodes');
  return node;
}

/** Returns the number of lost datagrams. */
async function measure(name: string, one: Case, count: number): Promise<number> {
  let asked = 0;
  const losses: number[] = [];
  for (let round = 0; round < count; round++) {
    const [from = 0, to] = [one.placed.shift(), one.next++];
    one.placed.push(to);
    const { service, address } = one;
    const probe = lab.probeDatagrams(one.client, [address], 1, { newFlows: true });
    await probe.ready;
    await one.replace(lab, { service, address, from: nodeAt(from), to: nodeAt(to) });
    const [result] = await probe.stop();
    if (!result || result.asked === 0) throw new Error('the client sent nothing');
    asked += result.asked;
    losses.push(result.asked - result.answered);
  }
  console.log(`${name}: ${count} rounds, ${asked} datagrams, lost per round: ${losses.join(' ')}`);
  return losses.reduce((sum, each) => sum + each, 0);
}

const local: Case = {
  name: 'Local by BGP',
  service: 'web',
  address: web,
  client: far,
  replace: replaceRouted,
  placed: [0, 1],
  next: 2,
};
const cases: readonly Case[] = [
  local,
  {
    ...local,
    name: 'Cluster by BGP',
    service: 'shop',
    address: shop,
    replace: replaceAnywhere,
    placed: [0, 1],
  },
  {
    ...local,
    name: 'Local in layer 2',
    service: 'printer',
    address: printer,
    client: near,
    replace: replaceAnswered,
    placed: [0],
    next: 1,
  },
];

let lost = 0;
try {
  for (const one of cases) lost += await measure(one.name, one, rounds);
  await lab.configure(drainConfig());
  await measure(`${local.name} without announce-delay`, local, roundsWithoutDelay);
} finally {
  await lab.close();
}
if (lost > 0) process.exitCode = 1;
