import { ApiProblem } from './problem.ts';
import { field, type KubernetesObject, type Resource, selectableFields } from './resources.ts';

/** The selectable fields whose value is not just the text at their path. */
const derivedFields: Readonly<Record<string, (object: KubernetesObject) => unknown>> = {
  'spec.unschedulable': (node) => field(node, 'spec', 'unschedulable') ?? false,
  source: (event) => field(event, 'source', 'component') || event.reportingComponent,
};

export type Matcher = (object: KubernetesObject) => boolean;

/** A field selector: `metadata.name=a,involvedObject.uid!=b`. Throws 400 for a field by which the server cannot select. */
export function fieldMatcher({ kind }: Resource, selector: string | null): Matcher {
  const known = ['metadata.name', 'metadata.namespace', ...(selectableFields[kind] ?? [])];
  const terms = (selector ?? '')
    .split(',')
    .filter((term) => term !== '')
    .map((term) => {
      const [, path, operator, value] = /^([\w./-]+?)(==|!=|=)([^=]*)$/.exec(term) ?? [];
      if (path === undefined)
        throw new ApiProblem(400, 'BadRequest', `field selector "${term}" cannot be read`);
      const stored = path.replace(/^regarding\./, 'involvedObject.');
      if (!known.includes(stored))
        throw new ApiProblem(400, 'BadRequest', `field label not supported: ${path}`);
      const read =
        derivedFields[stored] ?? ((object: KubernetesObject) => field(object, ...stored.split('.')));
      return (object: KubernetesObject) => (String(read(object) ?? '') === value) === (operator !== '!=');
    });
  return (object) => terms.every((term) => term(object));
}

const key = '[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?';
const value = '(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?';
const isPresent = new RegExp(`^(!?)\\s*(${key})$`);
const isEqual = new RegExp(`^(${key})\\s*(==|!=|=)\\s*(${value})$`);
const isInSet = new RegExp(`^(${key})\\s+(in|notin)\\s*\\(\\s*(${value}(?:\\s*,\\s*${value})*)\\s*\\)$`);

type LabelTest = (labels: Readonly<Record<string, string>>) => boolean;

/** A label selector: `a=b,c!=d,e in (f,g),!h`. Throws 400 for a malformed term. */
export function labelMatcher(selector: string | null): Matcher {
  const text = (selector ?? '').trim();
  // A comma inside parentheses does not end a term.
  const tests = text === '' ? [] : text.split(/,(?![^(]*\))/).map((term) => labelTest(term.trim()));
  return (object) => tests.every((test) => test(object.metadata.labels ?? {}));
}

function labelTest(term: string): LabelTest {
  const [, not, present] = isPresent.exec(term) ?? [];
  if (present !== undefined) return (labels) => (labels[present] === undefined) === (not === '!');
  const [, compared, comparison, wanted] = isEqual.exec(term) ?? [];
  if (compared !== undefined) return (labels) => (labels[compared] === wanted) === (comparison !== '!=');
  const [, member, membership, list] = isInSet.exec(term) ?? [];
  if (member === undefined || list === undefined)
    throw new ApiProblem(400, 'BadRequest', `label selector "${term}" cannot be read`);
  const values = new Set<string | undefined>(list.split(/\s*,\s*/));
  return (labels) => values.has(labels[member]) === (membership === 'in');
}
