/**
 * Counts what a client loses while a node stops announcing and begins again.
 *   lab/world .cache/bin/node bench/drain.ts [ROUNDS] [CASES]
 * Three nodes announce Services by BGP, and one of them answers for another Service in layer 2. A client sends a datagram every
 * millisecond, from 31 ports in turn, so that the router spreads the datagrams over all nodes. In one case the client opens a TCP connection
 * every 5 ms instead, and sends an HTTP request on it. The router runs BIRD with a filter, FRR, or GoBGP with a policy. One case uses IPv6, and
 * one uses layer 2. CASES is a regular expression for the names of the cases.
 *
 * In each round a signal in the Node object, for example a taint, makes the node leave, or stop announcing at once. The bench ends the signal when
 * the router has no route from the node any more. In layer 2, it ends the signal when another node answers. The node then returns. The rounds take
 * the signals in turn. With BGP they also take the nodes in turn. In layer 2, the signal is for the owner of the address.
 *
 * The bench counts the datagrams and HTTP requests without an answer, and fails when there is one. Connections that are reset have a count of their
 * own and do not make the bench fail: an open connection breaks when the router moves it to another node.
 */
import type { LabNode } from '../lab/fabric.ts';
import type { NetworkNamespace } from '../lab/netns.ts';
import { untilOwner } from '../lab/steps.ts';
import { bird, frr, gobgp, type Router, type Signal, signals, startDrainLab } from '../test/support/drain.ts';
import { nextHops } from '../test/support/next-hops.ts';
import { matching } from './support/choice.ts';

const rounds = Number(process.argv[2] ?? 20);
const connectionIntervalMs = 5;

interface Count {
  readonly asked: number;
  readonly lost: number;
  /** Connections that were open and broke. */
  readonly broken: number;
}

/** Lets a client send to the address while `move` runs. Returns the counts. */
type Counter = (client: NetworkNamespace, address: string, move: () => Promise<void>) => Promise<Count>;

interface Case {
  readonly name: string;
  /** The daemon on the router. The case in layer 2 needs none. */
  readonly router?: Router;
  readonly what: 'datagrams' | 'connections';
  round(signal: Signal, number: number): Promise<Count>;
}

const datagrams: Counter = async (client, address, move) => {
  const probe = lab.probeDatagrams(client, [address], 1);
  await probe.ready;
  await move();
  const [result] = await probe.stop();
  if (!result || result.asked === 0) throw new Error('the client sent nothing');
  return { asked: result.asked, lost: result.asked - result.answered, broken: 0 };
};

const connections: Counter = async (client, address, move) => {
  const probe = lab.probe(client, address, connectionIntervalMs);
  await probe.ready;
  await move();
  const { asked, answered, failures } = await probe.stop();
  if (asked === 0) throw new Error('the client sent nothing');
  const broken = failures.ECONNRESET ?? 0;
  return { asked, lost: asked - answered - broken, broken };
};

/** The element of the list whose turn it is. */
function inTurn<T>(list: readonly T[], number: number): T {
  const one = list[number % list.length];
  if (one === undefined) throw new Error('an empty list');
  return one;
}

function announcing(address: string, count: number): Promise<boolean> {
  return lab.until(`${count} nodes announce`, async () => (await nextHops(lab, address)).length === count);
}

function byRouter(router: Router, { isIpv6 = false, suffix = '', counter = datagrams } = {}): Case {
  return {
    name: `${router.name}${suffix}`,
    router,
    what: counter === connections ? 'connections' : 'datagrams',
    async round(signal, number) {
      const address = isIpv6 ? routedV6 : routed;
      // Each pass through the signals begins one node later, so that each signal meets each node.
      const node = inTurn(nodes, (number % signals.length) + Math.floor(number / signals.length));
      await announcing(address, nodes.length);
      return counter(far, address, async () => {
        await signal.begin(lab, node);
        await announcing(address, nodes.length - 1);
        await lab.until('the route is gone', async () => !(await router.hasRoute(lab, address, node)));
        await signal.end(lab, node);
        await announcing(address, nodes.length);
      });
    },
  };
}

async function isLeaving({ namespace }: LabNode): Promise<boolean> {
  return ((await lab.status(namespace)) as { readonly leaving?: object }).leaving !== undefined;
}

const inLayer2: Case = {
  name: 'layer 2',
  what: 'datagrams',
  async round(signal) {
    const owner = await untilOwner(lab, local);
    return datagrams(near, local, async () => {
      await signal.begin(lab, owner);
      await untilOwner(lab, local, owner);
      await signal.end(lab, owner);
      await lab.until('the node has returned', async () => !(await isLeaving(owner)));
    });
  },
};

const cases: readonly Case[] = [
  byRouter(bird),
  byRouter(bird, { isIpv6: true, suffix: ', IPv6' }),
  byRouter(frr),
  byRouter(frr, { suffix: ', TCP', counter: connections }),
  byRouter(gobgp),
  inLayer2,
];

const chosen = matching('CASES', process.argv[3] ?? '', cases, ({ name }) => name);
const { lab, routed, routedV6, local } = await startDrainLab();
const { nodes, far, near } = lab.fabric;

/** Returns how many datagrams or connections were lost. */
async function measure({ name, what, round }: Case): Promise<number> {
  const counts: (Count & { readonly signal: string })[] = [];
  for (let number = 0; number < rounds; number++) {
    const signal = inTurn(signals, number);
    counts.push({ ...(await round(signal, number)), signal: signal.name });
  }
  const sum = (field: keyof Count, some: readonly Count[] = counts) =>
    some.reduce((total, each) => total + each[field], 0);
  const broken = sum('broken') === 0 ? '' : `; ${sum('broken')} broke while open`;
  console.log(`${name}: ${rounds} rounds, ${sum('lost')} of ${sum('asked')} ${what} lost${broken}`);
  for (const [signal, some] of Map.groupBy(counts, (each) => each.signal))
    console.log(`  ${signal}: ${some.length} rounds, ${sum('lost', some)} of ${sum('asked', some)} lost`);
  return sum('lost');
}

let router = bird;
let endRouter = () => lab.stop('bird');
let lost = 0;
try {
  for (const one of chosen) {
    if (one.router && one.router !== router) {
      await endRouter();
      router = one.router;
      endRouter = await router.start(lab);
    }
    lost += await measure(one);
  }
  await endRouter();
} finally {
  await lab.close();
}
if (lost > 0) process.exitCode = 1;
