import type { Lab } from '../../lab/lab.ts';

/** Number of IPv4 routes that BIRD has received by BGP and that satisfy the condition. The routes of the router's own links do not count. */
export async function bgpRoutes(lab: Lab, condition = 'true'): Promise<number> {
  const filter = ['where', ...`source = RTS_BGP && ${condition}`.split(' ')];
  const answer = await lab.birdc('show', 'route', ...filter, 'count');
  return Number(/(\d+) of \d+ routes for/.exec(answer)?.[1] ?? 0);
}
