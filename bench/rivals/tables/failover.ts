/**
 * Layer 2 when a node dies and comes back, when a speaker is stopped as planned, and when all nodes start.
 *   lab/world .cache/bin/node bench/rivals/tables/failover.ts [--rounds 3] [--out FILE] [--services 20]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabNode } from '../../../lab/fabric.ts';
import { Lab } from '../../../lab/lab.ts';
import { type Figure, Figures, unfinished } from '../figures.ts';
import { configure, makePods, makeServices } from '../ground.ts';
import { keepalived, keepalivedVersion } from '../keepalived.ts';
import { Owners } from '../owners.ts';
import { progress, runTable } from '../run.ts';
import { bellman, metalLb, type Speakers } from '../system.ts';

/** After each event, the bench measures gaps for this many seconds. All systems have the same times. */
const watchSeconds = { killed: 12, back: 15, stopped: 6 };
/** The owners are settled when they have not changed for this long. */
const settledSeconds = 5;
const deadlineMs = 120_000;

await runTable({ services: '20' }, async ({ services }, rounds) => {
  const lab = await Lab.start({ nodes: 5, bellman: false });
  const { nodes, near } = lab.fabric;
  // All pods run on a node that never dies, so every lost datagram is lost on its way to the node that answers.
  const [home, ...mortal] = nodes;
  if (!home) throw new Error('a lab without nodes');
  await makePods(lab);
  await configure(
    lab,
    'address-pools:\n- {name: office, protocol: layer2, addresses: [192.0.2.150-192.0.2.220]}\n',
  );
  await lab.addPods('all', [home, home, home]);
  const addressOf = (index: number) => `192.0.2.${150 + index}`;
  const addresses = Array.from({ length: Number(services) }, (_, index) => addressOf(index));
  const pods = ['10.244.1.2', '10.244.1.3', '10.244.1.4'];
  await makeServices(lab, { from: 0, to: addresses.length, addressOf, protocol: 'UDP', pods, node: home });
  const owners = await Owners.of(lab);
  const systems: Speakers[] = [bellman(lab), metalLb(lab)];
  if (keepalivedVersion() !== undefined) systems.push(keepalived(lab, addresses));
  const figures = new Figures(systems.map(({ name }) => name));

  /** Sends datagrams during an event and for some time after it. */
  const watched = async (seconds: number, event: () => Promise<void>) => {
    const prober = lab.probeDatagrams(near, addresses);
    await prober.ready;
    await sleep(500);
    await event();
    await sleep(seconds * 1000);
    const results = await prober.stop();
    return {
      longestGapMs: Math.max(...results.map(({ longestGapMs }) => longestGapMs)),
      lost: results.reduce((sum, { asked, answered }) => sum + asked - answered, 0),
    };
  };

  /** Waits until every address has an owner and no owner changes. */
  const settled = async (): Promise<Map<string, string | undefined>> => {
    const endMs = performance.now() + deadlineMs;
    let before = await owners.ask(addresses);
    let since = performance.now();
    while (performance.now() - since < settledSeconds * 1000) {
      if (performance.now() > endMs) throw new Error(`no settled owners: ${[...before].join('; ')}`);
      await sleep(500);
      const now = await owners.ask(addresses);
      if (addresses.some((each) => now.get(each) === undefined || now.get(each) !== before.get(each)))
        since = performance.now();
      before = now;
    }
    return before;
  };

  /** Starts all speakers. Resolves to the seconds until every address is answered. */
  const coldStart = async (system: Speakers): Promise<Figure> => {
    // With its old neighbour entries, the client would send datagrams to the nodes that answered before. These nodes would forward the datagrams even
    // without a speaker.
    await near.ip('neigh', 'flush', 'all');
    const prober = lab.probeDatagrams(near, addresses);
    await prober.ready;
    const beganAt = performance.now();
    for (const node of nodes) system.startSpeaker(node);
    const endMs = beganAt + deadlineMs;
    let isAnswered = false;
    while (!isAnswered && performance.now() < endMs) {
      await sleep(1000);
      // The datagrams make the client's kernel ask for every address. The bench itself sends no ARP requests, because they could help a system.
      const entries = JSON.parse(await near.ip('-j', 'neigh', 'show', 'dev', 'eth0')) as {
        dst: string;
        lladdr?: string;
      }[];
      isAnswered = addresses.every((address) =>
        entries.some(({ dst, lladdr }) => dst === address && lladdr !== undefined),
      );
    }
    await sleep(1000);
    const results = await prober.stop();
    return isAnswered ? Math.max(...results.map(({ longestGapMs }) => longestGapMs)) / 1000 : unfinished;
  };

  const heldBy = (map: ReadonlyMap<string, string | undefined>, node: LabNode) =>
    addresses.filter((address) => map.get(address) === node.name);
  const changed = (a: ReadonlyMap<string, string | undefined>, b: ReadonlyMap<string, string | undefined>) =>
    addresses.filter((address) => a.get(address) !== b.get(address)).length;
  const busiest = (map: ReadonlyMap<string, string | undefined>) => {
    const [victim] = [...mortal].sort((a, b) => heldBy(map, b).length - heldBy(map, a).length);
    if (!victim) throw new Error('no node to stop');
    return victim;
  };

  for (let round = 0; round < rounds; round++)
    for (const system of systems) {
      const add = (row: string, figure: Figure) => figures.add(row, system.name, figure);
      const cold = await coldStart(system);
      const first = await settled();
      const victim = busiest(first);
      const killed = await watched(watchSeconds.killed, async () => {
        await lab.plugNode(victim, false);
        await system.stopSpeaker(victim, 'SIGKILL');
      });
      const second = await settled();
      const back = await watched(watchSeconds.back, async () => {
        await lab.plugNode(victim, true);
        system.startSpeaker(victim);
      });
      const third = await settled();
      const leaving = busiest(third);
      const stopped = await watched(watchSeconds.stopped, () => system.stopSpeaker(leaving));
      add('killed: longest gap of any address, ms', killed.longestGapMs);
      add('killed: datagrams lost', killed.lost);
      add('killed: addresses that the node held', heldBy(first, victim).length);
      add('killed: addresses that moved', changed(first, second));
      add('node back: addresses that moved', changed(second, third));
      add('node back: longest gap, ms', back.longestGapMs);
      add('node back: datagrams lost', back.lost);
      add('SIGTERM: addresses that the node held', heldBy(third, leaving).length);
      add('SIGTERM: longest gap, ms', stopped.longestGapMs);
      add('SIGTERM: datagrams lost', stopped.lost);
      add('all five nodes started: every address answered after, s', cold);
      progress(
        `${system.name}: killed ${JSON.stringify(killed)}, back ${JSON.stringify(back)}, SIGTERM ${JSON.stringify(stopped)}, cold ${cold} s`,
      );
      for (const node of nodes) if (node !== leaving) await system.stopSpeaker(node);
    }
  await lab.close();
  return figures.table('Failover in layer 2', [
    `Five nodes, ${services} IPv4 Services, no controller. A client sends a datagram every millisecond to one address after another, so gaps are`,
    `measured in steps of ${services} ms. The killed node loses its cable, and its speaker gets SIGKILL. All pods run on one node, which is never`,
    'killed. Of the other nodes, the one with the most addresses is killed. keepalived has one VRRP instance for each node, with default times.',
  ]);
});
