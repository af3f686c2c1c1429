/** Every query of the dashboards returns data when each metric has a sample, as promtool evaluates it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { dashboards } from '../../scripts/dashboards/grafana.ts';
import { allMetrics } from '../../scripts/reference/metrics.ts';
import { withValues } from './variables.ts';

/** Values of labels by which queries select. All other labels have the value `x`. */
const selected: Readonly<Record<string, string>> = { 'bellman_speaker_announced protocol': 'layer2' };

/** One process with every metric. Counters grow. */
const series = allMetrics().flatMap(({ name, type, labelNames }) => {
  const labels = labelNames.map((label) => `${label}="${selected[`${name} ${label}`] ?? 'x'}"`);
  const one = (suffix: string, more: readonly string[] = []) => ({
    series: `${name}${suffix}{${['instance="a"', ...labels, ...more].join()}}`,
    values: type === 'gauge' ? '1x30' : '0+1x30',
  });
  return type === 'histogram' ? [one('_bucket', ['le="1"']), one('_bucket', ['le="+Inf"'])] : [one('')];
});

const queries = dashboards.flatMap(({ name, rows }) =>
  rows.flatMap(({ panels }) =>
    panels.flatMap((panel) =>
      panel.queries.map(({ expr }, i) => ({ where: `${name}: ${panel.title}, query ${i + 1}`, expr })),
    ),
  ),
);

test('every query of the dashboards is valid and returns data', () => {
  assert.ok(queries.length > 40);
  const folder = mkdtempSync(join(tmpdir(), 'bellman-dashboards-'));
  try {
    const [rules, tests] = [join(folder, 'rules.json'), join(folder, 'tests.json')];
    // An alert fires for each query that returns data. JSON is YAML.
    const alerts = queries.map(({ where, expr }) => ({
      alert: where,
      expr: `count(${withValues(expr, '5m')}) > 0`,
    }));
    writeFileSync(rules, JSON.stringify({ groups: [{ name: 'queries', rules: alerts }] }));
    const unitTest = {
      interval: '1m',
      input_series: series,
      alert_rule_test: queries.map(({ where }) => ({
        ...{ eval_time: '20m', alertname: where, exp_alerts: [{ exp_labels: {} }] },
      })),
    };
    writeFileSync(
      tests,
      JSON.stringify({ rule_files: [rules], evaluation_interval: '1m', tests: [unitTest] }),
    );
    const { status, stdout, stderr, error } = spawnSync('promtool', ['test', 'rules', tests], {
      encoding: 'utf8',
    });
    if (error) throw error;
    assert.equal(status, 0, stdout + stderr);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
