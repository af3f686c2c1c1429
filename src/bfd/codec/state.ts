/** Session states in the order of their codes (RFC 5880 section 4.1). */
const states = ['AdminDown', 'Down', 'Init', 'Up'] as const;
export type BfdState = (typeof states)[number];

/** Decodes the two bits of the Sta field. All other bits of `code` are ignored. */
export function stateOf(code: number): BfdState {
  return states[code & 3] ?? 'AdminDown';
}

export function stateCode(state: BfdState): number {
  return states.indexOf(state);
}
