import type { Node, SpeakerPod } from '../kubernetes/model.ts';
import type { KnownSpeakers } from '../layer2/messages.ts';

/**
 * Nodes on which speakers should run according to Kubernetes. These are the nodes with a speaker Pod. Speakers need not run in Pods, so
 * when no speaker Pod is visible, all nodes count.
 */
export class KnownSpeakerList {
  /** Addresses by node. */
  readonly #nodes = new Map<string, readonly string[]>();
  readonly #pods = new Map<string, SpeakerPod>();

  /** Returns true when the speakers may have changed. A heartbeat changes nothing. */
  setNode(name: string, node: Node | undefined): boolean {
    const before = this.#nodes.get(name);
    if (node) this.#nodes.set(name, node.internalIPs);
    else this.#nodes.delete(name);
    return before?.join() !== node?.internalIPs.join();
  }

  /** Returns true when the speakers may have changed. */
  setPod(key: string, pod: SpeakerPod | undefined): boolean {
    const before = this.#pods.get(key);
    if (pod) this.#pods.set(key, pod);
    else this.#pods.delete(key);
    return JSON.stringify(before) !== JSON.stringify(pod);
  }

  /**
   * The speakers, sorted by node. A Pod's addresses come before its node's addresses. Both are the same for a Pod on the host's network.
   */
  speakers(): KnownSpeakers {
    const known = new Map<string, Set<string>>();
    const add = (node: string, addresses: readonly string[]) => {
      const all = known.get(node) ?? new Set();
      for (const address of addresses) all.add(address);
      if (all.size > 0) known.set(node, all);
    };
    for (const { nodeName, podIPs } of this.#pods.values()) if (nodeName !== undefined) add(nodeName, podIPs);
    const withPod = new Set([...this.#pods.values()].flatMap(({ nodeName }) => nodeName ?? []));
    for (const [name, internalIPs] of this.#nodes)
      if (withPod.size === 0 || withPod.has(name)) add(name, internalIPs);
    const sorted = [...known].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      known: sorted.map(([node, addresses]) => ({ node, addresses: [...addresses] })),
      areCertain: withPod.size > 0,
    };
  }
}
