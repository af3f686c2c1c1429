/** Checks the dashboards without Prometheus. `test/monitoring` runs their queries in Prometheus. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dashboardFiles, dashboards } from '../../../scripts/dashboards/grafana.ts';
import { allMetrics } from '../../../scripts/reference/metrics.ts';

interface Model {
  readonly uid: string;
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly datasource?: { readonly uid: string };
    readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
  }[];
}

const models = Object.values(dashboardFiles()).map((text) => JSON.parse(text) as Model);

test('each dashboard has a fixed uid, and its panels take their data from the source that the user chooses', () => {
  assert.deepEqual(
    models.map(({ uid }) => uid),
    ['bellman-overview', 'bellman-bgp', 'bellman-layer2'],
  );
  for (const { panels } of models)
    for (const { title, datasource, targets } of panels)
      for (const each of targets ?? []) {
        assert.match(datasource?.uid ?? '', /^\$\{datasource\}$/, title);
        assert.match(each.datasource.uid, /^\$\{datasource\}$/, title);
      }
});

test('panels have different ids and do not overlap', () => {
  for (const { uid, panels } of models) {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length, uid);
    const taken = new Map<string, string>();
    for (const { title, gridPos } of panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, `${uid}: ${title} is too wide`);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          const other = taken.get(`${x} ${y}`);
          assert.equal(other, undefined, `${uid}: ${title} covers ${other}`);
          taken.set(`${x} ${y}`, title);
        }
    }
  }
});

test('queries use metrics and variables that exist', () => {
  const known = new Set(
    allMetrics().flatMap(({ name, type }) => (type === 'histogram' ? [`${name}_bucket`] : [name])),
  );
  for (const { name, variables, rows } of dashboards) {
    const variableNames = new Set(['__rate_interval', ...variables.map((variable) => variable.name)]);
    for (const panel of rows.flatMap((row) => row.panels))
      for (const { expr } of panel.queries) {
        for (const metric of expr.match(/\b(bellman|process)_\w+/g) ?? [])
          assert.ok(known.has(metric), `${name}: ${panel.title} uses the unknown metric ${metric}`);
        for (const [, variable = ''] of expr.matchAll(/\$(\w+)/g))
          assert.ok(variableNames.has(variable), `${name}: ${panel.title} uses the unknown $${variable}`);
      }
    for (const variable of variables)
      if ('metric' in variable) assert.ok(known.has(variable.metric), variable.metric);
  }
});
