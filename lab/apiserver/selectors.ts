import { ApiProblem } from './problem.ts';
import { field, type KubernetesObject } from './resources.ts';

export type Matcher = (object: KubernetesObject) => boolean;

/** A field selector on any path: `metadata.name=a,involvedObject.uid!=b`. */
export function fieldMatcher(selector: string | null): Matcher {
  const terms = (selector ?? '')
    .split(',')
    .filter((term) => term !== '')
    .map((term) => {
      const [, path, operator, value] = /^([\w./-]+?)(==|!=|=)(.*)$/.exec(term) ?? [];
      if (path === undefined)
        throw new ApiProblem(400, 'BadRequest', `field selector "${term}" cannot be read`);
      const keys = path.replace(/^regarding\./, 'involvedObject.').split('.');
      return (object: KubernetesObject) =>
        (String(field(object, ...keys) ?? '') === value) === (operator !== '!=');
    });
  return (object) => terms.every((term) => term(object));
}

/** A label selector: `a=b,c!=d,e in (f,g),!h`. */
export function labelMatcher(selector: string | null): Matcher {
  const terms = (selector ?? '').match(/[^,(]+(\([^)]*\))?/g) ?? [];
  const tests = terms.map((term): ((labels: Record<string, string>) => boolean) => {
    const text = term.trim();
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
