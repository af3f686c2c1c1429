import { partsOf, type Requirement, type Selector, selectorOf } from '../selectors.ts';

/** Labels that Cilium gives every Service for its selectors. The Service itself does not have them. */
const namespaceLabel = 'io.kubernetes.service.namespace';
const nameLabel = 'io.kubernetes.service.name';

/** A selector in parts that the configuration can say. */
interface SplitSelector {
  /** The namespaces that the selector allows; `undefined` when it allows all. */
  readonly namespaces: string[] | undefined;
  /** What the selector asks of the labels of the Service. */
  readonly rest: Selector;
}

/** Splits a selector of Services. Returns `undefined` when it asks for the name of a Service, or excludes namespaces. */
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
