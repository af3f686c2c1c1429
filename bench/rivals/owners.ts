import type { Lab } from '../../lab/lab.ts';
import { parseArping } from './parse.ts';

/** Finds out by ARP which node answers for each address. The result is `undefined` for an address without an answer. */
export class Owners {
  readonly #lab: Lab;
  readonly #names = new Map<string, string>();

  private constructor(lab: Lab) {
    this.#lab = lab;
  }

  static async of(lab: Lab): Promise<Owners> {
    const owners = new Owners(lab);
    for (const node of lab.fabric.nodes) owners.#names.set(await lab.macOf(node), node.name);
    return owners;
  }

  /** Asks from the client. The requests may change the client's neighbour table, so no caller asks while a gap is measured. */
  async ask(addresses: readonly string[]): Promise<Map<string, string | undefined>> {
    const entries = addresses.map(async (address) => {
      const output = await this.#lab.fabric.near
        .exec('arping', '-c', '1', '-w', '1', '-I', 'eth0', address)
        .catch(() => '');
      return [address, this.#names.get(parseArping(output)[0] ?? '')] as const;
    });
    return new Map(await Promise.all(entries));
  }
}
