/** Causes of refusals, the most significant one first. A node that has an endpoint but is excluded explains more than a node without an endpoint. */
const causes: readonly string[] = [
  'no-protocol',
  'adopt-only',
  'no-link',
  'node',
  'leaving',
  'announce-delay',
  'not-selected',
  'no-peer',
  'unknown',
  'no-endpoint',
  'no-local-endpoint',
];

/** The place of a cause among all causes; 0 for the most significant one. A status of an old speaker names no cause. */
export function significanceOf(cause = 'unknown'): number {
  return causes.indexOf(causes.includes(cause) ? cause : 'unknown');
}
