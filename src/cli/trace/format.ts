import { describe, shortened, type TracedEvent, timeOf } from '../../report/traced-event.ts';

/** Formats events as JSON lines, or as text for people: one line for each event, followed by one for each of its actions. */
export function formatTrace(events: readonly TracedEvent[], format: 'text' | 'json'): string {
  const lines =
    format === 'json'
      ? events.map((event) => JSON.stringify(event))
      : events.flatMap((event) => textOf(event));
  return lines.map((line) => `${line}\n`).join('');
}

function textOf({ at, node, machine, state, event, actions }: TracedEvent): string[] {
  const head = `${timeOf(at)}  ${node}  ${machine}  ${shortened(describe(event))}  ⇒ ${state}`;
  return [head, ...actions.map((action) => `    → ${shortened(describe(action))}`)];
}
