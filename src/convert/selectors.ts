import { anySelectorMatches, type RawSelector } from '../config/index.ts';
import { fail, ok, type Result } from '../result.ts';
import { isMapping } from './mapping.ts';
import { show } from './text.ts';

/** A label selector with the keys of the configuration. */
export type Selector = RawSelector;

export interface Requirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

const operators = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

/** Reads a `metav1.LabelSelector` with the keys `matchLabels` and `matchExpressions`. The gate judges keys and values of labels. */
export function readSelector(value: unknown): Result<Selector, string> {
  if (!isMapping(value)) return fail(`expected a label selector, not ${show(value)}`);
  const unknown = Object.keys(value).find((key) => key !== 'matchLabels' && key !== 'matchExpressions');
  if (unknown !== undefined)
    return fail(`unknown key ${show(unknown)}; a label selector has matchLabels and matchExpressions`);
  const { matchLabels = {}, matchExpressions = [] } = value;
  const labels = matchLabels ?? {};
  const expressions = matchExpressions ?? [];
  if (!isMapping(labels) || !Object.values(labels).every(isText))
    return fail(`matchLabels: expected labels, not ${show(labels)}`);
  if (!Array.isArray(expressions)) return fail(`matchExpressions: expected a list, not ${show(expressions)}`);
  const requirements: Requirement[] = [];
  for (const [i, expression] of expressions.entries()) {
    const read = readRequirement(expression);
    if (!read.ok) return fail(`matchExpressions[${i}]: ${read.error}`);
    requirements.push(read.value);
  }
  const written = Object.entries(labels).map(([key, text]) => [key, String(text)]);
  return ok(selectorOf(Object.fromEntries(written), requirements));
}

/** Makes a selector in the form of the configuration, without its empty parts. */
export function selectorOf(
  labels: Readonly<Record<string, string>>,
  requirements: readonly Requirement[],
): Selector {
  return {
    ...(Object.keys(labels).length > 0 ? { 'match-labels': { ...labels } } : {}),
    ...(requirements.length > 0
      ? {
          'match-expressions': requirements.map(({ key, operator, values }) => ({
            key,
            operator,
            ...(values.length > 0 ? { values: [...values] } : {}),
          })),
        }
      : {}),
  };
}

export function isEmptySelector(selector: Selector): boolean {
  return Object.keys(selector).length === 0;
}

/** The labels and the requirements of a selector. */
export function partsOf(selector: Selector): {
  readonly labels: Readonly<Record<string, string>>;
  readonly requirements: readonly Requirement[];
} {
  return {
    labels: selector['match-labels'] ?? {},
    requirements: (selector['match-expressions'] ?? []).map(({ key, operator, values }) => ({
      key,
      operator,
      values: values ?? [],
    })),
  };
}

/** Whether the labels meet the selector, by the rules of `metav1.LabelSelector`. */
export function selects(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  const { labels: wanted, requirements } = partsOf(selector);
  const matchExpressions = requirements.map((requirement) => ({ ...requirement }));
  return anySelectorMatches([{ matchLabels: wanted, matchExpressions }], labels);
}

function readRequirement(value: unknown): Result<Requirement, string> {
  if (!isMapping(value)) return fail(`expected key and operator, not ${show(value)}`);
  const { key, operator, values } = value;
  if (typeof key !== 'string') return fail(`key: expected a label, not ${show(key)}`);
  const known = operators.find((each) => each === operator);
  if (known === undefined)
    return fail(`operator: expected one of ${operators.join(', ')}, not ${show(operator)}`);
  const list = values ?? [];
  if (!Array.isArray(list) || !list.every(isText))
    return fail(`values: expected a list of texts, not ${show(values)}`);
  return ok({ key, operator: known, values: list.map(String) });
}

function isText(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
