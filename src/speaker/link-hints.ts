import type { BgpSpeaker } from '../bgp/index.ts';
import { watchLinks } from '../link/link-watcher.ts';
import type { Logger } from '../log.ts';
import { reasonOf } from '../result.ts';
import type { Guard } from '../telemetry/guard.ts';

/**
 * Tells BGP at once when links or addresses of the node change, so that a session over a lost link ends without delay. If no netlink socket
 * can be opened, BGP polls instead and still notices within a second.
 */
export function sendLinkHints(bgp: BgpSpeaker, guard: Guard, logger: Logger): { close(): void } {
  try {
    const links = watchLinks(guard);
    links.onChange(() => bgp.interfacesChanged());
    return links;
  } catch (error) {
    const reason = reasonOf(error);
    logger.warn({ reason }, 'BGP checks the links every second, because it gets no notifications about them');
    return { close: () => undefined };
  }
}
