import type { RecordedEvent } from './flight-recorder.ts';

/** Selects recorded events. An absent criterion matches every event. */
export interface EventFilter {
  /** Names of machines, such as `peer router-a`; an empty list matches every machine. */
  readonly machines: readonly string[];
  /** Events that mention this IP address anywhere, and all events of the machines that belong to it. */
  readonly address: { readonly text: string; readonly machines: readonly string[] } | undefined;
}

export function matchesFilter(event: RecordedEvent, { machines, address }: EventFilter): boolean {
  if (machines.length > 0 && !machines.includes(event.machine)) return false;
  if (address === undefined || address.machines.includes(event.machine)) return true;
  return mentions(JSON.stringify(event), address.text);
}

/**
 * Whether the text contains the address as a whole, not only as a part of a longer address. For example, 192.0.2.10 does not mention 192.0.2.1, but
 * 192.0.2.1:179 does. A text in which a full stop follows 192.0.2.1 at the end of a sentence also mentions it.
 */
function mentions(text: string, address: string): boolean {
  const goesOn = address.includes(':') ? /^([0-9a-f]|:[0-9a-f:]|\.[0-9])/i : /^\.?[0-9]/;
  for (let at = text.indexOf(address); at >= 0; at = text.indexOf(address, at + 1)) {
    const end = at + address.length;
    if (!/[0-9a-f.:]/i.test(text[at - 1] ?? ' ') && !goesOn.test(text.slice(end, end + 2))) return true;
  }
  return false;
}
