import { Gauge, type Registry } from 'prom-client';
import type { LeavingState } from './leaving-nodes.ts';

/** Registers the gauge of a node that leaves. The gauge has no sample while the node stays. */
export function registerLeavingMetrics(
  registry: Registry,
  nodeName: string,
  state: () => Pick<LeavingState, 'leaving'>,
): void {
  new Gauge({
    name: 'bellman_node_leaving',
    help: '1 while the node leaves, with the reason as a label.',
    labelNames: ['node', 'reason'],
    registers: [registry],
    collect() {
      this.reset();
      const { leaving } = state();
      if (leaving) this.set({ node: nodeName, reason: leaving.cause }, 1);
    },
  });
}
