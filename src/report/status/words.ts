/** Texts that several parts of the report use. */
import type { ControllerStatus, SpeakerStatus } from '../../cluster/status.ts';
import type { ClusterView } from './view.ts';

/** Number of items that a long list shows before it counts the others. */
export const namedItems = 3;

/** Names the items. Of five or more items, names only three and counts the others. */
export function shortList(items: readonly string[]): string {
  if (items.length <= namedItems + 1) return items.join(', ');
  return `${items.slice(0, namedItems).join(', ')} and ${items.length - namedItems} more`;
}

/** Why a Service has no address: the reason that the leader reports, or else the message of the last event. */
export function waitingReason(service: string, { controller, failures }: ClusterView): string {
  const refusal = controller && refusalsBy(controller).get(service);
  return refusal ?? failures.get(service) ?? '';
}

/** The leader's reason why a Service with an address lacks a further one that it needs or asks for; `undefined` when it lacks none. */
export function lackReason(
  service: string,
  { controller }: Pick<ClusterView, 'controller'>,
): string | undefined {
  return controller && refusalsBy(controller).get(service);
}

/**
 * The messages of a controller's refusals, by Service. Every Service of the cluster may lack an address, and each lookup in the list
 * `services` would then read the whole list. So the list becomes a map once.
 */
const messages = new WeakMap<ControllerStatus, ReadonlyMap<string, string>>();

function refusalsBy(controller: ControllerStatus): ReadonlyMap<string, string> {
  const known = messages.get(controller);
  if (known) return known;
  const found = new Map(
    controller.services.flatMap(({ service, refusal }) =>
      refusal ? [[service, refusal.message] as const] : [],
    ),
  );
  messages.set(controller, found);
  return found;
}

/** The port that must be open between all nodes. A speaker of an older release does not say its port. */
export function membershipPort({ membershipPort: port }: Pick<SpeakerStatus, 'membershipPort'>): string {
  return port === undefined ? 'the UDP port of --membership-port' : `UDP port ${port}`;
}
