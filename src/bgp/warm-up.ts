import { Registry } from 'prom-client';
import type { Family, Prefix } from '../address/index.ts';
import type { Clock } from '../clock.ts';
import { BgpMetrics } from './metrics.ts';
import { AttributeTable } from './rib/attribute-table.ts';
import { PrefixTable } from './rib/prefix-table.ts';
import { RouteOutput } from './session/route-output.ts';
import type { RouteAttributes } from './speaker-api.ts';

/** After this many rounds, the engine has compiled the functions that send routes (measured with bench/bgp-convergence.ts). */
const rounds = 128;
/**
 * Routes of each family in a round. To announce or to withdraw so few routes takes about a millisecond and leaves little garbage. A message
 * to a peer therefore waits for about a millisecond at most.
 */
const routesPerRound = 256;
const pauseMs = 10;

/**
 * Announces and withdraws routes without a peer, for a few seconds, so that the engine compiles the code that sends routes. A node often
 * withdraws many routes for the first time when it is about to fail. Without the warm-up, the withdrawal would run in the interpreter.
 * Resolves to the number of octets of the UPDATEs that it has built.
 */
export async function warmUp(clock: Clock): Promise<number> {
  let octets = 0;
  const attributes: RouteAttributes = { asPathPrepend: 0, communities: [], largeCommunities: [] };
  const families: readonly Family[] = [4, 6];
  const tables = { prefixes: new PrefixTable(), attributes: new AttributeTable() };
  const output = new RouteOutput(clock, tables, new BgpMetrics(new Registry()));
  output.showAs('warm-up');
  output.synced();
  output.up({
    sink: {
      queuedBytes: 0,
      write: (bytes) => {
        octets += bytes.length;
      },
    },
    wire: {
      internal: false,
      localAsn: 64512,
      fourOctetAs: true,
      sendLimit: 4096,
      nextHops: { 4: [{ family: 4, value: 1n }], 6: [{ family: 6, value: 1n }] },
    },
    families,
    negotiated: families,
    enhancedRefresh: false,
    unsendable: () => undefined,
  });
  const routes = families.flatMap((family) => hostRoutes(family));
  const pause = () => new Promise<void>((resolve) => clock.after(pauseMs, resolve));
  for (let round = 0; round < rounds; round++) {
    // Routes are written at the end of a turn. A route that is withdrawn in the same turn would never be written.
    for (const route of routes) output.announce(route, attributes);
    await pause();
    for (const route of routes) output.withdraw(route);
    await pause();
  }
  output.down();
  return octets;
}

function hostRoutes(family: Family): Prefix[] {
  return Array.from({ length: routesPerRound }, (_, i) => ({
    family,
    value: BigInt(i + 1),
    length: family === 4 ? 32 : 128,
  }));
}
