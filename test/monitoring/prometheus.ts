import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../../lab/lab.ts';
import { shippedAlerts } from './shipped-alerts.ts';

const folder = '/run/prometheus';
const listen = '127.0.0.1:9090';
/** In the lab, all processes of Bellman serve their metrics on this port. */
const metricsPort = 7472;
/** The time for which every alert must be pending before it fires. In the shipped rules, it is minutes. */
const pendingTime = '2s';

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export interface PrometheusOptions {
  /** The shipped rules look back for some minutes. These times are multiplied by this factor; 1 by default. */
  readonly lookBack?: number;
}

/** A Prometheus in the lab that scrapes the controller and all speakers, and evaluates the shipped alerts with a shorter `for`. */
export class Prometheus {
  readonly #lab: Lab;

  private constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** Resolves when Prometheus answers queries. */
  static async start(lab: Lab, { lookBack = 1 }: PrometheusOptions = {}): Promise<Prometheus> {
    mkdirSync(folder, { recursive: true });
    const targets = [
      `127.0.0.1:${metricsPort}`,
      ...lab.fabric.nodes.map(({ addresses: [v4] }) => `${v4}:${metricsPort}`),
    ];
    const rules = join(folder, 'alerts.yaml');
    const config = join(folder, 'prometheus.yaml');
    // JSON is YAML.
    writeFileSync(rules, JSON.stringify(alertsWithShortTimes(lookBack)));
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: '1s' },
        rule_files: [rules],
        scrape_configs: [{ job_name: 'bellman', static_configs: [{ targets }] }],
      }),
    );
    lab.processes.start('prometheus', lab.fabric.control, 'prometheus', [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${listen}`,
      '--log.level=warn',
    ]);
    const prometheus = new Prometheus(lab);
    await lab.until('Prometheus answers', async () => (await prometheus.query('vector(1)')).length === 1);
    return prometheus;
  }

  /** The samples of an instant query. */
  async query(expr: string): Promise<readonly Sample[]> {
    const url = `http://${listen}/api/v1/query`;
    const body = await this.#lab.fabric.control.exec('curl', '-sS', '--data-urlencode', `query=${expr}`, url);
    const answer = JSON.parse(body) as { status: string; error?: string; data?: { result: Sample[] } };
    if (!answer.data) throw new Error(`Prometheus refuses ${expr}: ${answer.error}`);
    return answer.data.result;
  }

  /** Names of the alerts that fire. */
  async firing(): Promise<ReadonlySet<string>> {
    const samples = await this.query('ALERTS{alertstate="firing"}');
    return new Set(samples.map(({ metric }) => metric.alertname ?? ''));
  }
}

function alertsWithShortTimes(lookBack: number): object {
  const { groups } = shippedAlerts();
  return {
    groups: groups.map((group) => ({
      ...group,
      rules: group.rules.map((rule) => ({
        ...rule,
        ...(rule.for === undefined ? {} : { for: pendingTime }),
        // The ranges and offsets that must shrink are in minutes. `process_start_time_seconds > time() - 900` selects the processes younger than
        // 15 minutes. In the lab, these are all processes, so this part needs no change.
        expr: rule.expr.replace(/\b(\d+)m\b/g, (_, minutes) => `${Math.round(minutes * 60 * lookBack)}s`),
      })),
    })),
  };
}
