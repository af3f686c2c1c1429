/**
 * Counts the datagrams and sessions that are lost while the speakers of five nodes are replaced one by one.
 *   lab/world .cache/bin/node bench/upgrade.ts [ROUNDS] [CASE]
 * All nodes announce one Service by BGP. A client sends a datagram every millisecond, from 31 ports in turn, so that the router spreads the
 * datagrams over all nodes. In each round every speaker is replaced once, as by a DaemonSet with `maxSurge`. The bench counts the datagrams
 * without an answer, and the rounds in which the router saw a session of BGP or BFD go down. The cases are BIRD and FRR, each with and without
 * graceful restart, and with and without BFD. CASE is a regular expression that selects cases by their names. The bench fails when a datagram or a
 * session is lost, or when a session is missing before a round.
 */
import { beginCase, caseName, startUpgradeLab, upgradeAll, upgradeCases } from '../test/support/upgrade.ts';
import { matching } from './support/choice.ts';

const rounds = Number(process.argv[2] ?? 20);
const cases = matching('CASE', process.argv[3] ?? '', upgradeCases, caseName);
const [first] = cases;
if (!first) throw new Error('there are no cases');
const upgradeLab = await startUpgradeLab(first);
try {
  for (const one of cases) {
    await beginCase(upgradeLab, one);
    const expected = upgradeLab.lab.fabric.nodes.length * (one.bfd ? 2 : 1);
    let asked = 0;
    let changed = 0;
    const losses: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const result = await upgradeAll(upgradeLab, one);
      asked += result.asked;
      losses.push(result.lost);
      console.log(`  round ${round + 1}: ${result.lost} of ${result.asked} datagrams lost`);
      if (result.sessions !== expected) {
        process.exitCode = 1;
        console.log(`the router had ${result.sessions} sessions of ${expected} before the upgrade`);
      }
      if (result.lostSessions.length > 0) {
        changed++;
        console.log(`the router has lost ${result.lostSessions.join(', ')}, of ${result.sessions} sessions`);
      }
    }
    console.log(
      `${caseName(one)}: ${rounds} rounds, ${asked} datagrams, lost per round: ${losses.join(' ')}; rounds in which the router lost a session: ${changed}`,
    );
    if (changed > 0 || losses.some((lost) => lost > 0)) process.exitCode = 1;
  }
} finally {
  await upgradeLab.lab.close();
}
