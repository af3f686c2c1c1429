/** From the events of the speakers, selects the changes that matter to an address. Pure. */
import { describe, shortened, type TracedEvent, timeOf } from '../traced-event.ts';
import type { Transition } from './explanation.ts';

/** Largest number of changes in an explanation. */
const maxTransitions = 5;

/** The last changes of an address and of the sessions of its peers, oldest first. */
export function transitionsOf(address: string, events: readonly TracedEvent[]): Transition[] {
  return events
    .flatMap(({ at, node, machine, actions }) => {
      const textOf =
        machine === `address ${address}`
          ? addressText
          : machine.startsWith('peer ')
            ? sessionText
            : undefined;
      const texts = textOf ? actions.flatMap((action) => textOf(action) ?? []) : [];
      return texts.map((text) => ({ at: timeOf(at), node, machine, text }));
    })
    .slice(-maxTransitions);
}

function addressText(action: unknown): string | undefined {
  if (!isRecord(action)) return undefined;
  const from = action.from === '' || action.from === undefined ? '' : ` from ${action.from}`;
  if (action.kind === 'answer') return `starts to answer (${action.reason}${from})`;
  return action.kind === 'silence' ? `stops answering (${action.reason})` : undefined;
}

function sessionText(action: unknown): string | undefined {
  if (!isRecord(action)) return undefined;
  if (action.kind === 'session-up') return 'the session is up';
  return action.kind === 'session-down'
    ? `the session ends: ${shortened(describe(action.cause))}`
    : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
