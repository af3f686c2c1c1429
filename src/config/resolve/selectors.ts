/** Label selectors, with the rules of Kubernetes for keys, values and operators. */
import type { LabelSelector } from '../config.ts';
import { type Path, show } from '../errors.ts';
import type { Findings, RawSelector, Sound } from '../schema/index.ts';
import { isUnsound } from './values.ts';

export function resolveSelectors(
  raw: readonly (Sound<RawSelector> | undefined)[] | undefined,
  path: Path,
  findings: Findings,
): LabelSelector[] {
  return (raw ?? []).map((selector, i) => resolveSelector(selector, [...path, i], findings));
}

export function resolveSelector(
  selector: Sound<RawSelector> | undefined,
  path: Path,
  findings: Findings,
): LabelSelector {
  return {
    matchLabels: resolveLabels(selector?.['match-labels'] ?? {}, [...path, 'match-labels'], findings),
    matchExpressions: (selector?.['match-expressions'] ?? []).flatMap((requirement, j) => {
      const at = [...path, 'match-expressions', j];
      if (!requirement) return [];
      const { key, operator, values } = requirement;
      const keyFault = key === undefined ? undefined : labelKeyFault(key);
      if (keyFault !== undefined) findings.error([...at, 'key'], () => keyFault);
      values?.forEach((value, n) => {
        const fault = value === undefined ? undefined : labelValueFault(value);
        if (fault !== undefined) findings.error([...at, 'values', n], () => fault);
      });
      const takesValues = operator === 'In' || operator === 'NotIn';
      if (takesValues && (values ?? []).length === 0 && !isUnsound(requirement, 'values'))
        findings.error([...at, 'values'], () => `${operator} needs at least one value`);
      if (operator !== undefined && !takesValues && (values ?? []).length > 0)
        findings.error([...at, 'values'], () => `${operator} takes no values`);
      const named = (values ?? []).flatMap((value) => value ?? []);
      return key === undefined || operator === undefined ? [] : [{ key, operator, values: named }];
    }),
  };
}

function resolveLabels(
  raw: Readonly<Record<string, string | undefined>>,
  path: Path,
  findings: Findings,
): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(raw)) {
    const keyFault = labelKeyFault(key);
    if (keyFault !== undefined) findings.error([...path, key], () => keyFault, 'key');
    const valueFault = value === undefined ? undefined : labelValueFault(value);
    if (valueFault !== undefined) findings.error([...path, key], () => valueFault);
    if (value !== undefined) labels[key] = value;
  }
  return labels;
}

const word = /^[A-Za-z0-9]([-\w.]*[A-Za-z0-9])?$/;
const domain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

export function labelKeyFault(key: string): string | undefined {
  const slash = key.indexOf('/');
  const prefix = slash < 0 ? 'a' : key.slice(0, slash);
  const name = key.slice(slash + 1);
  if (prefix.length <= 253 && name.length <= 63 && domain.test(prefix) && word.test(name)) return undefined;
  return `${show(key)} is not a label key: an optional domain and a slash, then up to 63 of A-Z, a-z, 0-9, -, _ and ., with a letter or a digit at both ends`;
}

export function labelValueFault(value: string): string | undefined {
  if (value === '' || (value.length <= 63 && word.test(value))) return undefined;
  return `${show(value)} is not a label value: up to 63 of A-Z, a-z, 0-9, -, _ and ., with a letter or a digit at both ends`;
}
