import type { Field } from '../fields.ts';
import { isEmptySelector, partsOf, type Selector, selectorOf, selects } from '../selectors.ts';

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
  const namespaces = namespacesOf(selector);
  // An empty list would mean every namespace.
  if (namespaces === 'beyond' || namespaces?.length === 0) return undefined;
  const { labels, requirements } = partsOf(selector);
  const { [namespaceLabel]: _, ...own } = labels;
  const others = requirements.filter(({ key }) => key !== namespaceLabel);
  if (Object.hasOwn(own, nameLabel) || others.some(({ key }) => key === nameLabel)) return undefined;
  return { namespaces, rest: selectorOf(own, others) };
}

/** The namespaces that a selector of Services allows; `undefined` when it allows all, and `beyond` when it allows all except some. */
function namespacesOf(selector: Selector): string[] | undefined | 'beyond' {
  const { labels, requirements } = partsOf(selector);
  const about = requirements.filter(({ key }) => key === namespaceLabel);
  const label = labels[namespaceLabel];
  const named = label === undefined ? about.find(({ operator }) => operator === 'In')?.values : [label];
  if (named) return named.filter((name) => selects(selectorOf({}, about), { [namespaceLabel]: name }));
  if (about.some(({ operator }) => operator === 'DoesNotExist')) return [];
  return about.some(({ operator }) => operator === 'NotIn') ? 'beyond' : undefined;
}

/**
 * A selector of Services as an advertisement can express it: by labels, not by namespaces. `none`: the selector allows no namespace. `beyond`: no
 * advertisement can express the selector.
 */
export type AdvertisementSelector =
  | { readonly kind: 'all' }
  | { readonly kind: 'none' }
  | { readonly kind: 'labels'; readonly selectors: Selector[] }
  | { readonly kind: 'beyond' };

/** Why an advertisement with a selector of the kind `none` is left out. */
export const selectsNothing = 'its selector can match no Service, because it allows no namespace';

/**
 * Reads the selector of a policy or of an advertisement. A policy without a selector selects every Service. An advertisement without a selector
 * selects no Service: `convertAdvertisement` leaves it out, whatever this function returns.
 */
export function advertisementSelector(selector: Selector | undefined): AdvertisementSelector {
  if (selector === undefined || isEmptySelector(selector)) return { kind: 'all' };
  if (namespacesOf(selector)?.length === 0) return { kind: 'none' };
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
