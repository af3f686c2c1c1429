import type { LabelRequirement, LabelSelector } from './config.ts';

export type Labels = Readonly<Record<string, string>>;

/** Applies the rules of `metav1.LabelSelector`. By these rules, `NotIn` also holds when the label is missing. */
function selectorMatches(selector: LabelSelector, labels: Labels): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels))
    if (labelOf(labels, key) !== value) return false;
  return selector.matchExpressions.every((requirement) => requirementHolds(requirement, labels));
}

/** Reads only own properties, because `constructor` and other names of inherited properties are valid keys of labels. */
function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function requirementHolds({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = labelOf(labels, key);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

/** Whether at least one selector of a list matches. An empty list matches everything. */
export function anySelectorMatches(selectors: readonly LabelSelector[], labels: Labels): boolean {
  return selectors.length === 0 || selectors.some((selector) => selectorMatches(selector, labels));
}
