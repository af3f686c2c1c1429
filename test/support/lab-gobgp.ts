import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { addresses } from '../../lab/fabric.ts';
import type { Lab } from '../../lab/lab.ts';

/** How often the kernel gets what GoBGP has. */
const copyEveryMs = 200;
const defaultLocalPref = 100;
const attributeType = { nextHop: 3, localPref: 5 } as const;

interface Path {
  readonly attrs: readonly { readonly type: number; readonly nexthop?: string; readonly value?: unknown }[];
}

/**
 * Starts GoBGP on the router of a lab. A policy prefers other routes to those with GRACEFUL_SHUTDOWN, as RFC 8326 section 4 asks. GoBGP leaves the
 * kernel to zebra, and this version of it does not speak the protocol of our zebra. A loop copies its IPv4 routes to the kernel instead. The returned
 * function ends the loop.
 */
export async function startGobgp(lab: Lab): Promise<() => Promise<void>> {
  const file = '/run/lab/gobgpd.toml';
  writeFileSync(file, configText(lab));
  lab.processes.start('gobgpd', lab.fabric.router, 'gobgpd', ['-f', file, '--api-hosts', '127.0.0.1:50051']);
  await lab.until('gobgpd answers', async () => (await gobgpRoutes(lab)) !== undefined);
  const ending = new AbortController();
  const copying = copyRoutes(lab, ending.signal);
  return async () => {
    ending.abort();
    await copying;
  };
}

function configText({ fabric }: Lab): string {
  const [router] = addresses.router;
  return `[global.config]
as = 64500
router-id = "${router}"
local-address-list = ["${router}"]
[global.apply-policy.config]
import-policy-list = ["graceful-shutdown"]
default-import-policy = "accept-route"
[[defined-sets.bgp-defined-sets.community-sets]]
community-set-name = "graceful-shutdown"
community-list = ["65535:0"]
[[policy-definitions]]
name = "graceful-shutdown"
[[policy-definitions.statements]]
name = "least preferred"
[policy-definitions.statements.conditions.bgp-conditions.match-community-set]
community-set = "graceful-shutdown"
[policy-definitions.statements.actions]
route-disposition = "accept-route"
[policy-definitions.statements.actions.bgp-actions]
set-local-pref = 0
${fabric.nodes
  .map(
    ({ addresses: [address] }) => `[[neighbors]]
[neighbors.config]
neighbor-address = "${address}"
peer-as = 64512
[neighbors.timers.config]
connect-retry = 1
idle-hold-time-after-reset = 1
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "ipv4-unicast"
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "ipv6-unicast"`,
  )
  .join('\n')}
`;
}

/** The IPv4 paths of GoBGP by prefix. */
export async function gobgpRoutes(lab: Lab): Promise<Readonly<Record<string, readonly Path[]>>> {
  const text = await lab.fabric.router.exec('gobgp', '-u', '127.0.0.1', 'global', 'rib', '-a', 'ipv4', '-j');
  return JSON.parse(text);
}

function localPrefOf({ attrs }: Path): number {
  const value = attrs.find(({ type }) => type === attributeType.localPref)?.value;
  return typeof value === 'number' ? value : defaultLocalPref;
}

export function nextHopOf({ attrs }: Path): string {
  return attrs.find(({ type }) => type === attributeType.nextHop)?.nexthop ?? '';
}

/** The next hops of the paths that are preferred most. The paths of the lab differ in nothing else. */
function bestNextHops(paths: readonly Path[]): readonly string[] {
  const greatest = Math.max(...paths.map(localPrefOf));
  return paths
    .filter((path) => localPrefOf(path) === greatest)
    .map(nextHopOf)
    .sort();
}

async function copyRoutes(lab: Lab, signal: AbortSignal): Promise<void> {
  const copied = new Map<string, string>();
  const { router } = lab.fabric;
  while (!signal.aborted) {
    const wanted = new Map(
      Object.entries(await gobgpRoutes(lab)).map(([prefix, paths]) => [prefix, bestNextHops(paths)]),
    );
    for (const [prefix, hops] of wanted) {
      if (copied.get(prefix) === hops.join()) continue;
      await router.ip('route', 'replace', prefix, ...hops.flatMap((hop) => ['nexthop', 'via', hop]));
      copied.set(prefix, hops.join());
    }
    for (const prefix of copied.keys())
      if (!wanted.has(prefix)) {
        await router.ip('route', 'del', prefix);
        copied.delete(prefix);
      }
    await sleep(copyEveryMs);
  }
}
