/**
 * A lab with one node, for benches of memory and CPU time. It runs the program that `make build` wrote. BELLMAN_PROGRAM is the path of this program.
 */
import type { LabNode } from '../../lab/fabric.ts';
import { Lab } from '../../lab/lab.ts';
import { processesByRole } from './bellman-processes.ts';
import { bgpRoutes } from './bgp-routes.ts';
import { makeManyServices } from './many-services.ts';

export type Protocol = 'bgp' | 'layer2';

const announcedPatienceMs = 300_000;
if (process.env.BELLMAN_PROGRAM === undefined)
  throw new Error('BELLMAN_PROGRAM is not set; run `make build` and set it to dist/bellman');

export class BuiltLab {
  readonly #lab: Lab;
  readonly #node: LabNode;
  readonly #protocol: Protocol;
  #made = 0;

  private constructor(lab: Lab, node: LabNode, protocol: Protocol) {
    this.#lab = lab;
    this.#node = node;
    this.#protocol = protocol;
  }

  static async start(protocol: Protocol): Promise<BuiltLab> {
    const lab = await Lab.start({ nodes: 1 });
    const [node] = lab.fabric.nodes;
    if (!node) throw new Error('a lab without nodes');
    // The stand-in for kube-proxy cannot handle so many Services, and these benches send no packets to them.
    await lab.stop('kube-proxy');
    // The pool below names no interfaces, so the node answers only for addresses of its subnets.
    if (protocol === 'layer2') await node.namespace.ip('address', 'add', '10.32.0.1/15', 'dev', 'eth0');
    await lab.configure(`peers:
- {my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1}
address-pools:
- {name: big, protocol: ${protocol}, addresses: [10.32.0.0/15]}
`);
    return new BuiltLab(lab, node, protocol);
  }

  /**
   * Makes Services until there are `count`, and restarts the controller and the speaker. Returns the seconds from the start of the speaker until
   * every address is announced.
   */
  async restartWith(count: number): Promise<number> {
    await makeManyServices(this.#lab, this.#node, { from: this.#made, to: count });
    this.#made = count;
    await this.#lab.stop('speaker-node-1');
    await this.#lab.stop('controller');
    this.#lab.startController();
    const startedAtMs = performance.now();
    this.#lab.startSpeaker(this.#node);
    await this.#lab.until(
      'every address is announced',
      async () => {
        // Throws until the processes have started. A lab without Services announces nothing, so nothing else shows the start.
        processesByRole();
        return (await this.#announced()) >= count;
      },
      announcedPatienceMs,
    );
    return (performance.now() - startedAtMs) / 1000;
  }

  close(): Promise<void> {
    return this.#lab.close();
  }

  async #announced(): Promise<number> {
    if (this.#protocol === 'layer2') {
      const { announcing } = (await this.#lab.status(this.#node.namespace)) as { announcing: object };
      return Object.keys(announcing).length;
    }
    return bgpRoutes(this.#lab);
  }
}

/** Reads the flag `--protocol`. */
export function protocolOf(text: string): Protocol {
  if (text !== 'bgp' && text !== 'layer2') throw new Error(`--protocol ${text}: use bgp or layer2`);
  return text;
}
