import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type StoppedParts, stopSpeaker } from '../../../../src/speaker/stages/stop.ts';

const stays = { leaving: undefined, isDraining: false, draining: [], isHeldByFloor: false, heldByFloor: [] };

/** Parts that record their calls. A call that returns a promise is pending until `settle` names it. */
class Stopped {
  readonly calls: string[] = [];
  readonly #pending = new Map<string, () => void>();
  readonly #parts: StoppedParts = {
    speaker: { node: () => undefined, leavingState: stays },
    routing: {
      closeLinkHints: () => this.#note('link hints'),
      stop: (mode) => this.#wait(`sessions: ${mode().kind}`),
    },
    layer2: {
      process: { stop: () => this.#wait('layer-2 process') },
      reconciler: { stop: () => this.#note('announcing record') },
      firstOwners: { stop: () => this.#note('first owners') },
    },
    adoption: { stop: () => this.#note('adoption') },
    deathReporter: { stop: () => this.#wait('death reports') },
  };

  stop(endpoint: Promise<{ close(): Promise<void> } | undefined> = Promise.resolve(this.#endpoint)) {
    return stopSpeaker(this.#parts, {
      nodeName: 'node-1',
      events: { flush: () => this.#wait('events') },
      watching: { stop: () => this.#wait('watches') },
      endpoint,
    });
  }

  /** Lets the named calls return. Returns the calls that follow. */
  async settle(...names: readonly string[]): Promise<string[]> {
    const before = this.calls.length;
    for (const name of names) this.#pending.get(name)?.();
    await nextTurn();
    return this.calls.slice(before);
  }

  get #endpoint() {
    return { close: () => this.#wait('endpoint') };
  }

  #note(name: string): void {
    this.calls.push(name);
  }

  #wait(name: string): Promise<void> {
    this.#note(name);
    return new Promise((resolve) => this.#pending.set(name, resolve));
  }
}

describe('stopSpeaker()', () => {
  test('first stops the parts that announce, then the announcing record, and last the watches and the endpoint', async () => {
    const stopped = new Stopped();
    const end = stopped.stop();
    const announcing = ['death reports', 'layer-2 process', 'sessions: restart'];
    assert.deepEqual(stopped.calls, ['link hints', 'adoption', 'first owners', ...announcing]);
    assert.deepEqual(await stopped.settle('death reports', 'sessions: restart'), []);
    assert.deepEqual(await stopped.settle('layer-2 process'), ['announcing record', 'events']);
    assert.deepEqual(await stopped.settle('events'), ['watches', 'endpoint']);
    await stopped.settle('watches', 'endpoint');
    await end;
  });

  test('ends also when the endpoint was never served', async () => {
    const stopped = new Stopped();
    const end = stopped.stop(Promise.resolve(undefined));
    await stopped.settle('death reports', 'layer-2 process', 'sessions: restart');
    await stopped.settle('events');
    await stopped.settle('watches');
    await end;
    assert.ok(!stopped.calls.includes('endpoint'));
  });
});
