import assert from 'node:assert/strict';
import type { Lab } from '../../lab/lab.ts';
import type { Prometheus } from './prometheus.ts';

/**
 * Alerts that `lab-history.test.ts` shows: those that look back for 10 or 15 minutes, the one that needs three nodes, and the one that needs a
 * route too long for a message. `lab.test.ts` shows all others.
 */
export const historyAlerts: readonly string[] = [
  'BellmanAddressConflict',
  'BellmanAddressNotVerified',
  'BellmanAnswersLate',
  'BellmanBgpRoutesNotSent',
  'BellmanBgpRoutesRejected',
  'BellmanBgpSessionFlapping',
  'BellmanInputFailures',
];

/** Waits for alerts, and remembers which have fired and which have resolved. */
export class FiringAlerts {
  readonly fired = new Set<string>();
  readonly resolved = new Set<string>();
  readonly #lab: Lab;
  readonly #prometheus: Prometheus;

  constructor(lab: Lab, prometheus: Prometheus) {
    this.#lab = lab;
    this.#prometheus = prometheus;
  }

  /** Waits until each of the alerts fires. `cause` runs before each query, for faults that must be repeated. */
  async fires(alerts: readonly string[], cause: () => Promise<void> = async () => {}): Promise<void> {
    for (const alert of alerts) {
      await this.#lab.until(`${alert} fires`, async () => {
        await cause();
        return (await this.#prometheus.firing()).has(alert);
      });
      this.fired.add(alert);
    }
  }

  async resolves(alerts: readonly string[]): Promise<void> {
    for (const alert of alerts) {
      assert.ok(this.fired.has(alert), `${alert} has fired`);
      await this.#lab.until(`${alert} resolves`, async () => !(await this.#prometheus.firing()).has(alert));
      this.resolved.add(alert);
    }
  }
}
