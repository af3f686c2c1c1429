import * as z from 'zod';
import { printable } from '../printable.ts';
import { fail, ok, type Result } from '../result.ts';

/** An event of a flight recorder as received from another process. Every text in it is safe to print. */
export interface DecodedEvent {
  readonly machine: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly state: string;
  readonly event: unknown;
  readonly actions: readonly unknown[];
}

const maxTextCharacters = 2048;
const maxDepth = 12;

const recorded = z.object({
  machine: z.string(),
  at: z.number(),
  state: z.string(),
  event: z.unknown(),
  actions: z.array(z.unknown()),
});

/** Decodes JSON lines, oldest event first. The error names the first line that is not an event. */
export function decodeEvents(body: string): Result<readonly DecodedEvent[], string> {
  const events: DecodedEvent[] = [];
  for (const [i, line] of body.split('\n').entries()) {
    if (line === '') continue;
    const event = decodeLine(line);
    if (!event) return fail(`line ${i + 1} is not a recorded event`);
    events.push(event);
  }
  return ok(events);
}

function decodeLine(line: string): DecodedEvent | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined;
  }
  const result = recorded.safeParse(json);
  if (!result.success) return undefined;
  const { machine, at, state, event, actions } = result.data;
  return {
    machine: clean(machine),
    at,
    state: clean(state),
    event: cleanValue(event),
    actions: actions.map((action) => cleanValue(action)),
  };
}

function clean(text: string): string {
  return printable(text, maxTextCharacters);
}

function cleanValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return clean(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === maxDepth) return '…';
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [clean(key), cleanValue(item, depth + 1)]),
  );
}
