/**
 * Counts the datagrams that are lost while a node leaves and returns.
 *   lab/world .cache/bin/node bench/drain.ts [ROUNDS]
 * Three nodes announce one Service by BGP, and one of them answers for another Service in layer 2. A client sends a datagram every
 * millisecond, from 31 ports in turn, so that the router spreads the datagrams over all nodes. In each round a node leaves by one of the
 * signals, the router forgets its routes, and the node returns. The rounds go through the nodes and the signals. The bench counts the
 * datagrams without an answer: with BIRD and a filter on the router, with FRR, and in layer 2. It fails when one is lost.
 */
import { ownerOf } from '../lab/steps.ts';
import { nextHops } from '../test/e2e/bfd-fixtures.ts';
import { bird, frr, type Router, replaceBirdByFrr, signals, startDrainLab } from '../test/support/drain.ts';

const rounds = Number(process.argv[2] ?? 20);
const { lab, routed, local } = await startDrainLab();
const { nodes, far, near } = lab.fabric;
let lost = 0;

/** The element of the list whose turn it is in the round. */
function inTurn<T>(list: readonly T[], round: number): T {
  const one = list[round % list.length];
  if (one === undefined) throw new Error('an empty list');
  return one;
}

async function measure(
  client: typeof far,
  address: string,
  move: () => Promise<void>,
): Promise<{ readonly asked: number; readonly lost: number }> {
  const probe = lab.probeDatagrams(client, [address], 1);
  await probe.ready;
  await move();
  const [result] = await probe.stop();
  if (!result || result.asked === 0) throw new Error('the client sent nothing');
  return { asked: result.asked, lost: result.asked - result.answered };
}

async function report(
  name: string,
  round: (n: number) => Promise<{ asked: number; lost: number }>,
): Promise<void> {
  let asked = 0;
  const losses: number[] = [];
  for (let n = 0; n < rounds; n++) {
    const result = await round(n);
    asked += result.asked;
    losses.push(result.lost);
  }
  lost += losses.reduce((sum, each) => sum + each, 0);
  console.log(`${name}: ${rounds} rounds, ${asked} datagrams, lost per round: ${losses.join(' ')}`);
}

async function byRouter(router: Router): Promise<void> {
  const announcing = (count: number) =>
    lab.until(`${count} nodes announce`, async () => (await nextHops(lab, routed)).length === count);
  await announcing(nodes.length);
  await report(router.name, (n) => {
    const node = inTurn(nodes, n);
    const signal = inTurn(signals, n);
    return measure(far, routed, async () => {
      await signal.begin(lab, node);
      await announcing(nodes.length - 1);
      await lab.until('the route is gone', async () => !(await router.hasRoute(lab, routed, node)));
      await signal.end(lab, node);
      await announcing(nodes.length);
    });
  });
}

try {
  await byRouter(bird);
  await replaceBirdByFrr(lab);
  await byRouter(frr);
  await report('layer 2', async (n) => {
    const owner = await ownerOf(lab, local);
    const signal = inTurn(signals, n);
    if (!owner) throw new Error('no node answers');
    return measure(near, local, async () => {
      await signal.begin(lab, owner);
      await lab.until('another node answers', async () => (await ownerOf(lab, local))?.name !== owner.name);
      await signal.end(lab, owner);
    });
  });
} finally {
  await lab.close();
}
if (lost > 0) process.exitCode = 1;
