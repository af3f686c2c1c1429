/** Figures of several systems, collected over rounds, and the table that shows them. Pure. */

/** Stands for a measurement that gave no figure, e.g. because a deadline passed. */
export const unfinished = 'not finished';
export type Figure = number | typeof unfinished;

export interface Table {
  readonly title: string;
  /** The measurement in words, as lines of the page. A sentence may go on in the next line. */
  readonly about: readonly string[];
  /** Column titles; the first column names the rows. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export class Figures {
  readonly #columns: readonly string[];
  readonly #rows = new Map<string, Map<string, Figure[]>>();

  constructor(columns: readonly string[]) {
    this.#columns = columns;
  }

  /** Adds the figure of one measurement. Rows appear in the order of their first figures. */
  add(row: string, column: string, figure: Figure): void {
    if (!this.#columns.includes(column)) throw new Error(`the table has no column ${column}`);
    const cells = this.#rows.get(row) ?? new Map<string, Figure[]>();
    this.#rows.set(row, cells);
    cells.set(column, [...(cells.get(column) ?? []), figure]);
  }

  table(title: string, about: readonly string[]): Table {
    const rows = [...this.#rows].map(([row, cells]) => [
      row,
      ...this.#columns.map((column) => spread(cells.get(column) ?? [])),
    ]);
    return { title, about, head: ['', ...this.#columns], rows };
  }
}

/** `median [least..most] n=count`, and how many measurements did not finish. */
export function spread(figures: readonly Figure[]): string {
  const sorted = figures.filter((figure) => figure !== unfinished).sort((a, b) => a - b);
  const missing = figures.length - sorted.length;
  const parts: string[] = [];
  const [least] = sorted;
  const most = sorted.at(-1);
  if (least !== undefined && most !== undefined)
    parts.push(
      `${format(median(sorted))} [${format(least)}..${format(most)}] n=${sorted.length.toLocaleString('en')}`,
    );
  if (missing > 0) parts.push(`${unfinished}: ${missing}`);
  return parts.join('; ') || '–';
}

/** Median of a sorted list. */
function median(sorted: readonly number[]): number {
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** Quantile of a list in any order: the smallest value such that at least `share` (0 to 1) of all values are equal to it or smaller. */
export function quantile(list: readonly number[], share: number): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))] ?? Number.NaN;
}

/** The value with at most two decimals. A value from 10 on has at most one, and a value from 100 on has none, because no more digits are accurate. */
export function format(value: number): string {
  if (!Number.isFinite(value)) return 'none';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

export function markdown({ head, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}
