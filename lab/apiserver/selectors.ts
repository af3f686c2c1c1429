import { ApiProblem } from './problem.ts';
import { field, type KubernetesObject, type Resource, selectableFields } from './resources.ts';

export type Matcher = (object: KubernetesObject) => boolean;

/** A field selector: `metadata.name=a,involvedObject.uid!=b`. Throws 400 for a field by which the server cannot select. */
export function fieldMatcher({ kind }: Resource, selector: string | null): Matcher {
  const known = ['metadata.name', 'metadata.namespace', ...(selectableFields[kind] ?? [])];
  const terms = (selector ?? '')
    .split(',')
    .filter((term) => term !== '')
    .map((term) => {
      const [, path, operator, value] = /^([\w./-]+?)(==|!=|=)(.*)$/.exec(term) ?? [];
      if (path === undefined)
        throw new ApiProblem(400, 'BadRequest', `field selector "${term}" cannot be read`);
      const stored = path.replace(/^regarding\./, 'involvedObject.');
      if (!known.includes(stored))
        throw new ApiProblem(400, 'BadRequest', `field label not supported: ${path}`);
      const keys = stored.split('.');
      return (object: KubernetesObject) =>
        (String(field(object, ...keys) ?? '') === value) === (operator !== '!=');
    });
  return (object) => terms.every((term) => term(object));
}

const labelKey = /^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$/;

/** A label selector: `a=b,c!=d,e in (f,g),!h`. Throws 400 for malformed text. */
export function labelMatcher(selector: string | null): Matcher {
  const terms = (selector ?? '').match(/[^,(]+(\([^)]*\))?/g) ?? [];
  const tests = terms.map((term): ((labels: Record<string, string>) => boolean) => {
    const text = term.trim();
    const [key = ''] = text.replace(/^!/, '').split(/[\s=!]/);
    if (!labelKey.test(key))
      throw new ApiProblem(400, 'BadRequest', `label selector "${text}" cannot be read`);
    const set = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(text);
    if (set) {
      const [, key = '', operator, list = ''] = set;
      const values = list.split(',').map((value) => value.trim());
      return (labels) => values.includes(labels[key] ?? '\0') === (operator === 'in');
    }
    const equality = /^([^=!\s]+)\s*(==|!=|=)\s*(.*)$/.exec(text);
    if (equality) {
      const [, key = '', operator, value] = equality;
      return (labels) => (labels[key] === value) === (operator !== '!=');
    }
    if (text.startsWith('!')) return (labels) => labels[text.slice(1)] === undefined;
    return (labels) => labels[text] !== undefined;
  });
  return (object) => tests.every((test) => test(object.metadata.labels ?? {}));
}
