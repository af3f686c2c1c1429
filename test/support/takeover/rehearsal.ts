import assert from 'node:assert/strict';
import { closeOnFailure } from '../close-on-failure.ts';
import type { Incumbent } from './incumbent.ts';
import { type Takeover, TakeoverLab } from './lab.ts';

/** Number of Services of each protocol. */
const services = 8;

/**
 * A takeover from MetalLB and the way back. In both, no address may change. Clients must get all answers during the takeover, and almost all on
 * the way back.
 */
export class Rehearsal {
  readonly takeover: TakeoverLab;
  readonly #addresses: ReadonlyMap<string, string>;
  #taken: Takeover | undefined;

  private constructor(takeover: TakeoverLab, addresses: ReadonlyMap<string, string>) {
    this.takeover = takeover;
    this.#addresses = addresses;
  }

  static async start(metalLb: Incumbent): Promise<Rehearsal> {
    const takeover = await TakeoverLab.start({ metalLb, services });
    return closeOnFailure(takeover, async () => new Rehearsal(takeover, await takeover.addressesByService()));
  }

  /** Does the work while clients send datagrams. Every datagram must get an answer, and no address may change. */
  async withoutLoss<T>(work: () => Promise<T>): Promise<T> {
    const { lost, detail, result } = await this.takeover.counted(work);
    assert.equal(lost, 0, detail);
    await this.#keepsAddresses();
    return result;
  }

  /** Calls `prepare`, and then lets Bellman take over. Before the last step, each layer-2 address must have the same MAC as at the beginning. */
  async takeOver(
    options: { readonly undoes?: boolean; readonly prepare?: () => Promise<void> } = {},
  ): Promise<Takeover> {
    const macs = await this.takeover.macs();
    const taken = await this.withoutLoss(async () => {
      await options.prepare?.();
      return this.takeover.takeOver(options);
    });
    assert.deepEqual(taken.macs, macs, taken.moves.join('\n'));
    this.#taken = taken;
    return taken;
  }

  /** MetalLB takes over again. It may lose some datagrams when its speakers start. */
  async goBack(): Promise<void> {
    assert.ok(this.#taken, 'Bellman has taken over');
    const taken = this.#taken;
    const { lost, asked, detail } = await this.takeover.counted(() => this.takeover.goBack(taken));
    assert.ok(lost < asked / 100, detail);
    await this.#keepsAddresses();
  }

  close(): Promise<void> {
    return this.takeover.close();
  }

  async #keepsAddresses(): Promise<void> {
    assert.deepEqual(await this.takeover.addressesByService(), this.#addresses);
  }
}
