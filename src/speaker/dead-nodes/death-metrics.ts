import { Gauge, type Registry } from 'prom-client';
import type { DeathReporter } from './death-reporter.ts';

export function registerDeathMetrics(registry: Registry, reporter: Pick<DeathReporter, 'dead'>): void {
  new Gauge({
    name: 'bellman_speaker_dead_nodes',
    help: 'Nodes that this speaker reports to the controller as dead. Always 0 unless the configuration has dead-nodes.',
    registers: [registry],
    collect() {
      this.set(reporter.dead.length);
    },
  });
}
