import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { addresses } from '../../lab/fabric.ts';
import type { Lab } from '../../lab/lab.ts';

/** Interval between two copies of GoBGP's routes to the kernel. */
const copyEveryMs = 100;
const defaultLocalPref = 100;
const attributeType = { nextHop: 3, localPref: 5, communities: 8 } as const;
const gracefulShutdown = 0xffff0000;

export interface GobgpPath {
  readonly attrs: readonly {
    readonly type: number;
    readonly nexthop?: string;
    readonly value?: unknown;
    readonly communities?: readonly number[];
  }[];
}

/**
 * Starts GoBGP on the router of a lab. A policy gives routes with GRACEFUL_SHUTDOWN the LOCAL_PREF 1. It does not use 0, because GoBGP ignores an
 * action with that value. GoBGP writes no routes to the kernel: it leaves that to zebra, but GoBGP 3.10 does not speak the protocol of zebra 8.4. A
 * loop therefore copies the IPv4 routes of GoBGP to the kernel. The returned function ends the loop and GoBGP.
 */
export async function startGobgp(lab: Lab): Promise<() => Promise<void>> {
  const file = '/run/lab/gobgpd.toml';
  writeFileSync(file, configText(lab));
  lab.processes.start('gobgpd', lab.fabric.router, 'gobgpd', ['-f', file, '--api-hosts', '127.0.0.1:50051']);
  await lab.until('gobgpd answers', async () => (await gobgpRoutes(lab)) !== undefined);
  const ending = new AbortController();
  const copying = copyRoutes(lab, ending.signal);
  // This handler only prevents an unhandled rejection. The returned function throws the error of the loop.
  copying.catch(() => {});
  return async () => {
    ending.abort();
    await copying;
    await lab.stop('gobgpd');
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
set-local-pref = 1
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
export async function gobgpRoutes(lab: Lab): Promise<Readonly<Record<string, readonly GobgpPath[]>>> {
  const text = await lab.fabric.router.exec('gobgp', '-u', '127.0.0.1', 'global', 'rib', '-a', 'ipv4', '-j');
  return JSON.parse(text);
}

/** Whether the path carries GRACEFUL_SHUTDOWN. */
export function isMarked({ attrs }: GobgpPath): boolean {
  const communities = attrs.find(({ type }) => type === attributeType.communities)?.communities;
  return communities?.includes(gracefulShutdown) ?? false;
}

export function nextHopOf({ attrs }: GobgpPath): string {
  return attrs.find(({ type }) => type === attributeType.nextHop)?.nexthop ?? '';
}

function localPrefOf({ attrs }: GobgpPath): number {
  const value = attrs.find(({ type }) => type === attributeType.localPref)?.value;
  return typeof value === 'number' ? value : defaultLocalPref;
}

/** The next hops of the paths with the greatest LOCAL_PREF. Nothing else makes one path of the lab better than another. */
function bestNextHops(paths: readonly GobgpPath[]): readonly string[] {
  const greatest = Math.max(...paths.map(localPrefOf));
  return paths
    .filter((path) => localPrefOf(path) === greatest)
    .map(nextHopOf)
    .sort();
}

/** Copies the best routes until the signal aborts, and then removes the copies from the kernel. */
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
  for (const prefix of copied.keys()) await router.ip('route', 'del', prefix);
}
