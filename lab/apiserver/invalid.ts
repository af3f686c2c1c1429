import { ApiProblem } from './problem.ts';
import type { Resource } from './resources.ts';

/** The answer 422 to an object that a real API server finds invalid. `message` is `FIELD: TEXT`, or only `TEXT` if no single field is at fault. */
export function invalid({ kind }: Resource, name: string, message: string): ApiProblem {
  const [, field = '', rest = message] = /^(\S+): (.*)$/s.exec(message) ?? [];
  const causes = [{ reason: 'FieldValueInvalid', field, message: rest }];
  return new ApiProblem(422, 'Invalid', `${kind} "${name}" is invalid: ${message}`, { name, kind, causes });
}

/** The answer 400 to a body that cannot be decoded. */
export function undecodable(what: string): ApiProblem {
  return new ApiProblem(400, 'BadRequest', what);
}

/** Throws {@link invalid} when the value is not in `supported`. */
export function requireOneOf(
  resource: Resource,
  name: string,
  path: string,
  value: unknown,
  supported: readonly string[],
): void {
  if (!supported.includes(String(value)))
    throw invalid(
      resource,
      name,
      `${path}: Unsupported value: "${value}": supported values: ${supported.join(', ')}`,
    );
}
