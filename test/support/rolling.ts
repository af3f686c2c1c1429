/** Common parts of the test and the bench of rolling updates: a lab whose kube-proxy is late, Services, and the replacement of one pod. */
import type { LabNode } from '../../lab/fabric.ts';
import { Lab } from '../../lab/lab.ts';
import { ownerOf, untilOwner } from '../../lab/steps.ts';
import { closeOnFailure } from './close-on-failure.ts';
import { addressOf, bird, configureBird, drainConfig, echoService } from './drain.ts';
import { nextHops } from './next-hops.ts';

/** How long kube-proxy waits before it loads its rules after a change of pods. */
const kubeProxyLateMs = 1000;

export interface RollingLab {
  readonly lab: Lab;
  /** Address of the Service `web`: by BGP, with the policy Local. */
  readonly web: string;
  /** Address of the Service `shop`: by BGP, with the policy Cluster. */
  readonly shop: string;
  /** Address of the Service `printer`: in layer 2, with the policy Local. */
  readonly printer: string;
}

/**
 * A lab of three nodes. `web` and `shop` have a pod on the first and the second node, and `printer` has one on the first. BIRD runs on the
 * router.
 */
export async function startRollingLab(announceDelaySeconds: number): Promise<RollingLab> {
  const lab = await Lab.start({ kubeProxyLateMs });
  return closeOnFailure(lab, async () => {
    await configureBird(lab);
    await lab.configure(drainConfig({ announceDelaySeconds }));
    await lab.apply(
      echoService('web', 'public', 'Local'),
      echoService('shop', 'public'),
      echoService('printer', 'office', 'Local'),
    );
    const { nodes } = lab.fabric;
    for (const [name, count] of [
      ['web', 2],
      ['shop', 2],
      ['printer', 1],
    ] as const)
      await lab.addPods(name, nodes.slice(0, count));
    const [web, shop, printer] = [
      await addressOf(lab, 'web'),
      await addressOf(lab, 'shop'),
      await addressOf(lab, 'printer'),
    ];
    await lab.until('web has two nodes', async () => (await nextHops(lab, web)).length === 2);
    await lab.until('shop has all nodes', async () => (await nextHops(lab, shop)).length === nodes.length);
    await untilOwner(lab, printer);
    for (const [client, address] of [
      [lab.fabric.far, web],
      [lab.fabric.far, shop],
      [lab.fabric.near, printer],
    ] as const)
      await lab.until(`${address} answers`, async () => (await lab.curl(client, address)) !== '');
    return { lab, web, shop, printer };
  });
}

/** The replacement of a pod of a Service: the old pod runs on the node `from`, and the new one on the node `to`. */
interface Replacement {
  readonly service: string;
  readonly address: string;
  readonly from: LabNode;
  readonly to: LabNode;
}

/**
 * Replaces a pod as a Deployment with `maxUnavailable: 0` does: when the new pod is ready, the old one begins to terminate, and both serve. The
 * old pod ends when `isMoved` is true for its addresses.
 */
async function replacePod(
  lab: Lab,
  { service, from, to }: Replacement,
  isMoved: (old: readonly string[]) => Promise<boolean>,
): Promise<void> {
  await lab.addPods(service, [to]);
  const old = await lab.terminatePods(service, from);
  await lab.until(`nothing is sent to the old pod of ${service}`, () => isMoved(old.addresses));
  await old.end();
}

/** Replaces a pod. The old one ends when the router has a route for the address to the new node, and none to the old node. */
export async function replaceRouted(lab: Lab, replacement: Replacement): Promise<void> {
  const { address, from, to } = replacement;
  await replacePod(lab, replacement, async () => {
    const hops = await nextHops(lab, address);
    return hops.includes(to.addresses[0]) && !(await bird.hasRoute(lab, address, from));
  });
}

/** Replaces a pod. The old one ends when no node's kube-proxy sends to it any more. */
export async function replaceAnywhere(lab: Lab, replacement: Replacement): Promise<void> {
  await replacePod(lab, replacement, async (old) => {
    const rules = await Promise.all(
      lab.fabric.nodes.map(({ namespace }) => namespace.exec('nft', 'list', 'ruleset')),
    );
    return !rules.some((text) => old.some((address) => isSentTo(text, address)));
  });
}

/**
 * Whether a rule sends to the address. The kube-proxy of Kubernetes also has a chain with the address of each endpoint in its name. Such a chain
 * may stay for half a minute after its rules are gone, so the address in the ruleset alone proves nothing.
 */
function isSentTo(ruleset: string, address: string): boolean {
  return new RegExp(`\\bdnat\\b.*[ []${address}(?![\\d.])`).test(ruleset);
}

/** Replaces a pod. The old one ends when the new node answers for the address. */
export async function replaceAnswered(lab: Lab, replacement: Replacement): Promise<void> {
  const { address, to } = replacement;
  await replacePod(lab, replacement, async () => (await ownerOf(lab, address))?.name === to.name);
}
