/** Largest number of present keys that `describeMissingKey` names. Each key has at most 253 characters. */
const maxNamed = 4;

/** Says that the data of a ConfigMap or Secret lacks a key, and which keys are there instead. A misspelt key is the usual mistake. */
export function describeMissingKey(key: string, data: Readonly<Record<string, unknown>>): string {
  const present = Object.keys(data).sort();
  if (present.length === 0) return `has no key ${key}`;
  const hidden = present.length - maxNamed;
  const named = present.slice(0, maxNamed).join(', ');
  return `has no key ${key}, only ${named}${hidden > 0 ? ` and ${hidden} more` : ''}`;
}
