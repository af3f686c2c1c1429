/**
 * How soon BIRD has all host routes of different senders after the session is up, and how soon they are gone after the withdrawal.
 *   lab/world .cache/bin/node bench/rivals/tables/senders.ts [--rounds 3] [--out FILE] [--routes 10000]
 */
import { hostRoutes, measureSender, senders } from '../../support/route-senders.ts';
import { Figures } from '../figures.ts';
import { progress, runTable } from '../run.ts';

await runTable({ routes: '10000' }, async ({ routes }, rounds) => {
  const hosts = hostRoutes(Number(routes));
  const figures = new Figures(senders.map(({ name }) => name));
  for (let round = 0; round < rounds; round++)
    for (const sender of senders) {
      const { announceMs, withdrawMs } = await measureSender(sender, hosts);
      figures.add('the router holds all routes after, ms', sender.name, announceMs);
      figures.add('all routes are gone after, ms', sender.name, withdrawMs);
      progress(`${sender.name}: ${Math.round(announceMs)} ms, ${Math.round(withdrawMs)} ms`);
    }
  return figures.table('Host routes by sender', [
    `${hosts.length.toLocaleString('en')} host routes to BIRD 2 on one cable. The times start when the session is up, and at the withdrawal.`,
    "The bare socket replays Bellman's octets, so it shows the time that the router alone needs. The column *Bellman* shows Bellman's BGP code",
    'in Node, without Kubernetes.',
  ]);
});
