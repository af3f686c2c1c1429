/** The page with all tables. Pure. */
import { markdown, type Table } from './figures.ts';

/** A table, and the load of the machine before the run and at its end. */
export interface Result {
  readonly table: Table;
  /** Average number of processes that were ready to run, in the minute before the run and in its last minute. */
  readonly load: readonly [before: number, after: number];
}

export interface Circumstances {
  readonly command: string;
  readonly date: string;
  /** The machine in plain words. */
  readonly machine: string;
  /** The compared programs, with versions. */
  readonly systems: readonly string[];
}

export function page({ command, date, machine, systems }: Circumstances, results: readonly Result[]): string {
  return [
    '# Comparison',
    '',
    `\`${command}\` wrote this page on ${date}. It ran the programs below in turns in one lab, with the same Services, the same ConfigMap text,`,
    'the same client and the same router. Do not edit it.',
    '',
    `- Machine: ${machine}`,
    ...systems.map((system) => `- ${system}`),
    '',
    'A cell is `median [least..most] n=measurements`. *not finished* counts the rounds in which a deadline passed.',
    '',
    ...results.flatMap(({ table, load }) => [
      `## ${table.title}`,
      ...table.about,
      `The load of the machine was ${load[0].toFixed(1)} before and ${load[1].toFixed(1)} at the end.`,
      '',
      markdown(table),
      '',
    ]),
  ].join('\n');
}
