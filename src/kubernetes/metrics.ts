import { Gauge, type Registry } from 'prom-client';
import type { Reachability } from './reachability.ts';

/** Registers the metrics of the connection to the API server. */
export function registerKubernetesMetrics(registry: Registry, reachability: Reachability): void {
  new Gauge({
    name: 'bellman_kubernetes_api_up',
    help: '1 while the API server answers. 0 from the first request without an answer until the next answer.',
    registers: [registry],
    collect() {
      this.set(reachability.isAnswering ? 1 : 0);
    },
  });
  new Gauge({
    name: 'bellman_kubernetes_newest_event_age_seconds',
    help: 'Age of the newest list, change or bookmark of any watch. Bookmarks arrive about once a minute.',
    registers: [registry],
    collect() {
      const ageMs = reachability.newestEventAgeMs();
      if (ageMs === undefined) this.remove();
      else this.set(ageMs / 1000);
    },
  });
}
