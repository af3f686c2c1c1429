import type { Field } from '../fields.ts';
import { isEmptySelector, partsOf, type Requirement, type Selector, selectorOf } from '../selectors.ts';

/** Cilium applies its selectors as if every Service had these labels. The Service itself does not have them. */
const namespaceLabel = 'io.kubernetes.service.namespace';
const nameLabel = 'io.kubernetes.service.name';

/** A selector in parts that the configuration can express. */
interface SplitSelector {
  /** The namespaces that the selector allows; `undefined` when it allows all. */
  readonly namespaces: string[] | undefined;
  /** The requirements on labels that the Service itself has. */
  readonly rest: Selector;
}

/**
 * Splits a selector of Services. Returns `undefined` when the selector has a requirement on the name of the Service, excludes namespaces, or
 * allows no namespace.
 */
export function splitServiceSelector(selector: Selector): SplitSelector | undefined {
  const { labels, requirements } = partsOf(selector);
  const { [namespaceLabel]: namespace, ...others } = labels;
  const own: Requirement[] = [];
  let namespaces = namespace === undefined ? undefined : [namespace];
  for (const requirement of requirements) {
    if (requirement.key === nameLabel) return undefined;
    if (requirement.key !== namespaceLabel) own.push(requirement);
    else if (requirement.operator === 'In') {
      const allowed = namespaces;
      namespaces = requirement.values.filter((name) => allowed?.includes(name) ?? true);
      // No namespace meets all requirements, and an empty list would mean every namespace.
      if (namespaces.length === 0) return undefined;
    } else if (requirement.operator !== 'Exists') return undefined;
  }
  if (Object.hasOwn(others, nameLabel)) return undefined;
  return { namespaces, rest: selectorOf(others, own) };
}

/** A selector of Services as an advertisement can express it: by labels, not by namespaces. `beyond`: no advertisement can express the selector. */
export type AdvertisementSelector =
  | { readonly kind: 'all' }
  | { readonly kind: 'labels'; readonly selectors: Selector[] }
  | { readonly kind: 'beyond' };

/** Reads the selector of a policy or of an advertisement. Without a selector, a policy selects every Service. */
export function advertisementSelector(selector: Selector | undefined): AdvertisementSelector {
  if (selector === undefined || isEmptySelector(selector)) return { kind: 'all' };
  const split = splitServiceSelector(selector);
  if (!split || split.namespaces) return { kind: 'beyond' };
  return isEmptySelector(split.rest) ? { kind: 'all' } : { kind: 'labels', selectors: [split.rest] };
}

/** Gives the selector its outcome in the table. */
export function reportSelector(field: Field<Selector> | undefined, to: readonly string[]): void {
  const read = advertisementSelector(field?.value);
  if (read.kind === 'labels') field?.carried(to);
  else if (read.kind === 'all') field?.changed('', 'left out; it selects every Service');
  else
    field?.dropped(
      'an advertisement selects Services by their labels only; it announces every Service of its pool',
    );
}
