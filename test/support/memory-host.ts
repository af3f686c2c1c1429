import assert from 'node:assert/strict';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { parsePrefix } from '../../src/address/index.ts';
import type { Conflict } from '../../src/layer2/responder/conflicts.ts';
import { registerAddressMetrics } from '../../src/layer2/responder/metrics.ts';
import {
  createNeighbourResponder,
  type NeighbourResponderOptions,
} from '../../src/layer2/responder/responder.ts';
import type { CaptureOptions } from '../../src/link/capture.ts';
import type { Link } from '../../src/link/link-table.ts';
import { frame, hex, mac as macFrom } from './neighbour-frames.ts';
import { VirtualClock } from './virtual-clock.ts';

/** The link of a {@link MemoryHost}. */
export const eth0: Link = {
  index: 2,
  name: 'eth0',
  mac: macFrom('02:00:00:00:00:0a'),
  subnets: ['192.0.2.0/24', '2001:db8::/64'].map((text) => parsePrefix(text) ?? assert.fail()),
  epoch: 0,
};
/** A responder on links in memory. `sent` keeps the frames that the responder sends, and `hear` delivers frames to the responder. */
export class MemoryHost {
  readonly clock = new VirtualClock();
  readonly registry = new Registry();
  readonly conflicts: Conflict[] = [];
  readonly sent: { at: number; interface: string; hex: string }[] = [];
  /** Frames that the next drain delivers. */
  readonly waiting: string[] = [];
  readonly captures = new Map<string, CaptureOptions>();
  readonly groups = new Set<string>();
  readonly log: { readonly level: number; readonly msg: string; readonly entrance?: string }[] = [];
  opened = 0;
  /** Makes each send throw, as a bug would. */
  isBroken = false;
  failsToOpen = false;
  failsToSend = false;
  refusesGroups = false;
  owned = true;
  links: Link[] = [eth0];
  #changed: () => void = () => {};
  readonly responder;

  constructor(options: Partial<NeighbourResponderOptions> = {}) {
    this.responder = createNeighbourResponder({
      log: pino({}, { write: (line) => void this.log.push(JSON.parse(line)) }),
      registry: this.registry,
      clock: this.clock,
      onConflict: (conflict) => this.conflicts.push(conflict),
      isOwner: () => this.owned,
      links: {
        links: () => this.links,
        localAddresses: () => [],
        onChange: (callback) => {
          this.#changed = callback;
        },
        close: () => {},
      },
      openCapture: (capture) => {
        if (this.failsToOpen) throw new Error('No such device');
        this.opened++;
        this.captures.set(capture.interface, capture);
        return {
          send: (bytes) => {
            if (this.isBroken) throw new Error('bug');
            if (this.failsToSend) return false;
            this.sent.push({ at: this.clock.now(), interface: capture.interface, hex: hex(bytes) });
            return true;
          },
          drain: () => {
            for (const text of this.waiting.splice(0)) this.hear(text, capture.interface);
          },
          close: () => {
            if (this.captures.get(capture.interface) === capture) this.captures.delete(capture.interface);
          },
        };
      },
      groupSocket: {
        join: (group, index) => {
          if (this.refusesGroups) return false;
          this.groups.add(`${index} ${hex(group)}`);
          return true;
        },
        leave: (group, index) => void this.groups.delete(`${index} ${hex(group)}`),
        close: () => {},
      },
      ...options,
    });
    registerAddressMetrics(this.registry, () => this.responder.counts());
  }

  hear(text: string, interfaceName = 'eth0', ageMs = 0): void {
    this.captures.get(interfaceName)?.onFrame(frame(text), text.length / 2, ageMs);
  }

  /** Takes the frames out of `sent`, and returns them in hex. */
  takeSent(): string[] {
    return this.sent.splice(0).map((sent) => sent.hex);
  }

  setLinks(...links: Link[]): void {
    this.links = links;
    this.#changed();
  }

  /** Takes the frames of all links out of `sent`, and returns the times at which they were sent, each time once. */
  times(): number[] {
    return [...new Set(this.sent.splice(0).map(({ at }) => at))];
  }
}
