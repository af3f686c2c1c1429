/** Grafana's JSON of the dashboards. `make schema` writes it to manifests/. */
import { bgp } from './bgp.ts';
import { layer2 } from './layer2.ts';
import { overview } from './overview.ts';
import type { Dashboard, Panel, Row, Variable } from './panel.ts';

export const dashboards: readonly Dashboard[] = [overview, bgp, layer2];

/** The version of the JSON that Grafana 10.4 writes. Newer releases of Grafana read it too. */
const schemaVersion = 39;
/** Grafana divides the width of a page into this many columns. */
const columns = 24;
const datasourceVariable = 'datasource';
const datasource = { type: 'prometheus', uid: `\${${datasourceVariable}}` };
const sizes = {
  value: { w: 4, h: 4 },
  graph: { w: 12, h: 8 },
  table: { w: 24, h: 8 },
} as const;
const types = { value: 'stat', graph: 'timeseries', table: 'table' } as const;

/** The JSON text of each dashboard, by its file name. */
export function dashboardFiles(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    dashboards.map((dashboard) => [
      `${dashboard.name}.json`,
      `${JSON.stringify(model(dashboard), null, 2)}\n`,
    ]),
  );
}

function model({ name, title, variables, rows }: Dashboard): object {
  return {
    uid: `bellman-${name}`,
    title,
    tags: ['bellman'],
    schemaVersion,
    editable: true,
    graphTooltip: 1,
    refresh: '1m',
    time: { from: 'now-6h', to: 'now' },
    links: [{ type: 'dashboards', title: 'Bellman', tags: ['bellman'], asDropdown: true, keepTime: true }],
    templating: {
      list: [
        { name: datasourceVariable, label: 'Prometheus', type: 'datasource', query: 'prometheus' },
        ...variables.map(variable),
      ],
    },
    panels: panels(rows),
  };
}

function variable(from: Variable): object {
  const { name } = from;
  if ('text' in from)
    return { name, type: 'textbox', query: from.text, current: { text: from.text, value: from.text } };
  return {
    name,
    type: 'query',
    datasource,
    query: `label_values(${from.metric}, ${from.label})`,
    // Reads the values again when the range of time changes.
    refresh: 2,
    ...{ multi: true, includeAll: true, allValue: '.*', current: { text: 'All', value: '$__all' } },
  };
}

/** Places the panels of each row below its title, from left to right. */
function panels(rows: readonly Row[]): object[] {
  const placed: object[] = [];
  let y = 0;
  for (const row of rows) {
    placed.push({
      id: placed.length + 1,
      type: 'row',
      title: row.title,
      gridPos: { x: 0, y, w: columns, h: 1 },
    });
    y++;
    let x = 0;
    let height = 0;
    for (const panel of row.panels) {
      const { w, h } = sizes[panel.kind];
      if (x + w > columns) {
        y += height;
        x = 0;
        height = 0;
      }
      placed.push({ id: placed.length + 1, ...panelModel(panel), gridPos: { x, y, w, h } });
      x += w;
      height = Math.max(height, h);
    }
    y += height;
  }
  return placed;
}

function panelModel({ title, kind, unit = 'short', queries }: Panel): object {
  return {
    type: types[kind],
    title,
    datasource,
    fieldConfig: { defaults: { unit, ...(kind === 'graph' ? { min: 0 } : {}) }, overrides: [] },
    ...(kind === 'table'
      ? { transformations: [{ id: 'organize', options: { excludeByName: { Time: true } } }] }
      : {}),
    targets: queries.map(({ expr, legend }, i) => ({
      refId: String.fromCharCode(65 + i),
      datasource,
      expr,
      ...(legend === undefined ? {} : { legendFormat: legend }),
      ...(kind === 'graph' ? {} : { instant: true }),
      ...(kind === 'table' ? { format: 'table' } : {}),
    })),
  };
}
