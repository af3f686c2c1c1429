/**
 * Counts what a client loses while a node leaves and returns.
 *   lab/world .cache/bin/node bench/drain.ts [ROUNDS] [CASES]
 * Three nodes announce Services by BGP, and one of them answers for another Service in layer 2. A client sends a datagram every millisecond, from
 * 31 ports in turn, so that the router spreads the datagrams over all nodes. In one case it opens a TCP connection every 5 ms instead, and
 * sends an HTTP request on it. In each round a node leaves by one of the signals, the router forgets its routes, and the node returns. The
 * rounds go through the nodes and the signals. The bench counts the datagrams without an answer: with BIRD and a filter on the router, also for
 * IPv6, with FRR, and in layer 2. It fails when one is lost, or when a connection cannot be opened. Connections that are
 * open when the router moves them to another node break. They are counted apart. CASES is a regular expression for the names of the cases.
 */
import { ownerOf } from '../lab/steps.ts';
import { bird, frr, type Router, replaceBirdByFrr, signals, startDrainLab } from '../test/support/drain.ts';
import { nextHops } from '../test/support/next-hops.ts';

const rounds = Number(process.argv[2] ?? 20);
const cases = new RegExp(process.argv[3] ?? '');
const connectionIntervalMs = 5;
const { lab, routed, routedV6, local } = await startDrainLab();
const { nodes, far, near } = lab.fabric;
let lost = 0;

interface Count {
  readonly asked: number;
  readonly lost: number;
  /** Connections that were open and broke. */
  readonly broken: number;
}

/** The element of the list whose turn it is in the round. */
function inTurn<T>(list: readonly T[], round: number): T {
  const one = list[round % list.length];
  if (one === undefined) throw new Error('an empty list');
  return one;
}

async function datagrams(client: typeof far, address: string, move: () => Promise<void>): Promise<Count> {
  const probe = lab.probeDatagrams(client, [address], 1);
  await probe.ready;
  await move();
  const [result] = await probe.stop();
  if (!result || result.asked === 0) throw new Error('the client sent nothing');
  return { asked: result.asked, lost: result.asked - result.answered, broken: 0 };
}

async function connections(client: typeof far, address: string, move: () => Promise<void>): Promise<Count> {
  const probe = lab.probe(client, address, connectionIntervalMs);
  await probe.ready;
  await move();
  const { asked, answered, failures } = await probe.stop();
  if (asked === 0) throw new Error('the client sent nothing');
  const broken = failures.ECONNRESET ?? 0;
  return { asked, lost: asked - answered - broken, broken };
}

async function report(name: string, what: string, round: (n: number) => Promise<Count>): Promise<void> {
  if (!cases.test(name)) return;
  const counts: Count[] = [];
  for (let n = 0; n < rounds; n++) counts.push(await round(n));
  const sum = (field: keyof Count) => counts.reduce((total, each) => total + each[field], 0);
  lost += sum('lost');
  const broken = sum('broken');
  const apart = broken === 0 ? '' : `; ${broken} broke while open`;
  const perRound = counts.map((each) => each.lost).join(' ');
  console.log(`${name}: ${rounds} rounds, ${sum('asked')} ${what}, lost per round: ${perRound}${apart}`);
}

async function byRouter(
  router: Router,
  { address = routed, name = router.name, count = datagrams, what = 'datagrams' } = {},
): Promise<void> {
  const announcing = (wanted: number) =>
    lab.until(`${wanted} nodes announce`, async () => (await nextHops(lab, address)).length === wanted);
  await announcing(nodes.length);
  await report(name, what, (n) => {
    const node = inTurn(nodes, n);
    const signal = inTurn(signals, n);
    return count(far, address, async () => {
      await signal.begin(lab, node);
      await announcing(nodes.length - 1);
      await lab.until('the route is gone', async () => !(await router.hasRoute(lab, address, node)));
      await signal.end(lab, node);
      await announcing(nodes.length);
    });
  });
}

try {
  await byRouter(bird);
  await byRouter(bird, { address: routedV6, name: `${bird.name}, IPv6` });
  await replaceBirdByFrr(lab);
  await byRouter(frr);
  await byRouter(frr, { name: `${frr.name}, TCP`, count: connections, what: 'connections' });
  await report('layer 2', 'datagrams', async (n) => {
    const owner = await ownerOf(lab, local);
    const signal = inTurn(signals, n);
    if (!owner) throw new Error('no node answers');
    return datagrams(near, local, async () => {
      await signal.begin(lab, owner);
      await lab.until('another node answers', async () => (await ownerOf(lab, local))?.name !== owner.name);
      await signal.end(lab, owner);
    });
  });
} finally {
  await lab.close();
}
if (lost > 0) process.exitCode = 1;
