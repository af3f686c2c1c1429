import type { DecodedEvent } from '../telemetry/event-codec.ts';

/** A recorded event with the node whose speaker recorded it. */
export interface TracedEvent extends DecodedEvent {
  readonly node: string;
}

/** `bellman trace` and explanations cut longer descriptions, for instance of an OPEN with many capabilities. `bellman trace -o json` does not. */
const maxDescriptionLength = 320;

export function shortened(text: string): string {
  return text.length > maxDescriptionLength ? `${text.slice(0, maxDescriptionLength)}…` : text;
}

/** Formats a time. A number that is too large for a date stays a number. */
export function timeOf(epochMs: number): string {
  const date = new Date(epochMs);
  return Number.isNaN(date.getTime()) ? String(epochMs) : date.toISOString();
}

/** Writes an object with a `kind` as `kind key=value …`, and any other value as JSON. */
export function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null || !('kind' in value) || typeof value.kind !== 'string')
    return JSON.stringify(value) ?? '';
  const { kind, ...rest } = value;
  return [kind, ...Object.entries(rest).map(([key, item]) => `${key}=${JSON.stringify(item)}`)].join(' ');
}
