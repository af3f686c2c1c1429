/** The page of Kubernetes events, made from the table of event reasons in the code. */
import { eventReasons } from '../../src/kubernetes/event-reasons.ts';
import { code, page, table } from './markdown.ts';

export function eventsPage(): string {
  return page(
    'Events',
    'Bellman records an event only when an outcome changes. `kubectl describe` shows the events of an object; `kubectl get events -A` shows all.\nWhen several nodes record the same message, or a node records it again after a restart, Kubernetes shows one event\nwith a count, the series of `events.k8s.io/v1`.\n\nA process records at most 25 events in a row about one object with one reason, and then one in five minutes. The log says `events are\nlimited` when it leaves events out.',
    table(
      ['reason', 'object', 'type', 'meaning'],
      Object.entries(eventReasons).map(([reason, { object, type, meaning }]) => [
        code(reason),
        object,
        type,
        meaning,
      ]),
    ),
  );
}
