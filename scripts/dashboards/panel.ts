/** A dashboard without the details of Grafana. `grafana.ts` makes Grafana's JSON from it. */
export interface Dashboard {
  /** Part of the file name and of the uid. */
  readonly name: string;
  readonly title: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
}

/** A choice at the top of a dashboard. Queries use it as `$name` in a matcher with `=~`. */
export type Variable =
  | { readonly name: string; readonly metric: string; readonly label: string }
  /** A regular expression that the user types. */
  | { readonly name: string; readonly text: string };

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Panel {
  readonly title: string;
  /** A graph over time, the present value in large digits, or a table of the present samples. */
  readonly kind: 'graph' | 'value' | 'table';
  /** A unit as Grafana spells it. */
  readonly unit?: 'short' | 's' | 'bytes' | 'percentunit' | 'ops' | 'Bps' | 'dateTimeFromNow' | 'bool_yes_no';
  readonly queries: readonly Query[];
}

export interface Query {
  readonly expr: string;
  /** Name of each line of a graph. `{{label}}` stands for the value of a label. */
  readonly legend?: string;
}

type Unit = NonNullable<Panel['unit']>;

/** A graph of one query. */
export function graph(title: string, unit: Unit, expr: string, legend: string): Panel {
  return { title, kind: 'graph', unit, queries: [{ expr, legend }] };
}

/** The present value of one query. */
export function value(title: string, unit: Unit, expr: string): Panel {
  return { title, kind: 'value', unit, queries: [{ expr }] };
}

export function table(title: string, unit: Unit, expr: string): Panel {
  return { title, kind: 'table', unit, queries: [{ expr }] };
}
