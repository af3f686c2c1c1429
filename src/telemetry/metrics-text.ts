import { type Gauge, Registry } from 'prom-client';
import type { Turns } from '../turns.ts';
import { CollectedMetric, type Sample } from './collected-metric.ts';

/** Number of samples in one piece. Writing them takes well under a millisecond. */
const pieceSamples = 250;

/**
 * Writes the metrics of a registry in Prometheus' text format, in pieces, because the whole text has 10 MB with 100,000 Services. Metrics that may
 * have a sample for each address are written in slices when `turns` is given.
 */
export async function* metricPieces(
  registry: Registry,
  turns: Pick<Turns, 'hasTime' | 'next'> | undefined,
): AsyncGenerator<string> {
  const others = new Registry();
  for (const metric of registry.getMetricsAsArray() as readonly object[])
    if (metric instanceof CollectedMetric)
      for (const piece of piecesOf(metric)) {
        yield piece;
        while (turns && !turns.hasTime) await turns.next();
      }
    else others.registerMetric(metric as Gauge);
  yield await others.metrics();
}

/** The text of one metric, in pieces. All samples show the moment at which the first piece is made, unless the metric is `takenInSlices`. */
function* piecesOf({ name, help, type, samples, takenInSlices }: CollectedMetric): Generator<string> {
  const all = takenInSlices ? samples() : [...samples()];
  yield `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n`;
  let lines: string[] = [];
  for (const sample of all) {
    lines.push(line(name, sample));
    if (lines.length < pieceSamples) continue;
    // `join` makes a plain string. A string that is built with `+` would keep each line in memory until the text is sent.
    yield lines.join('');
    lines = [];
  }
  yield `${lines.join('')}\n`;
}

function line(name: string, [labels, value]: Sample): string {
  let text = '';
  for (const label in labels) text += `${text === '' ? '' : ','}${label}="${escaped(labels[label] ?? '')}"`;
  return text === '' ? `${name} ${value}\n` : `${name}{${text}} ${value}\n`;
}

function escaped(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    : value;
}
