/** The address families that a session carries, and their next hops. Pure. */
import { type Family, type IpAddress, sameIp } from '../../address/index.ts';
import { familyName, type Negotiated } from '../negotiation.ts';
import { type InterfaceAddresses, nextHopCandidates, nextHopsOf, type SessionAddress } from '../next-hop.ts';
import type { PeerSettings } from '../peer.ts';

export interface CarriedFamilies {
  readonly families: readonly Family[];
  readonly nextHops: Readonly<Partial<Record<Family, readonly IpAddress[]>>>;
  /** One sentence for each family that the session should carry but does not. */
  readonly warnings: readonly string[];
}

const both: readonly Family[] = [4, 6];

/**
 * Decides which families the session carries, and their next hops. `before` is the decision in force. A family keeps its next hops of
 * `before` while the session's interface still has all these addresses and the family still needs the same number of next hops. So one more address
 * of the interface, such as a temporary IPv6 address, does not replace them.
 */
export function carriedFamilies(
  local: IpAddress,
  negotiated: Negotiated,
  settings: PeerSettings,
  interfaces: readonly InterfaceAddresses[],
  before?: CarriedFamilies,
): CarriedFamilies {
  const families: Family[] = [];
  const nextHops: Partial<Record<Family, readonly IpAddress[]>> = {};
  const warnings: string[] = [];
  const session: SessionAddress = {
    local,
    interfaces,
    extendedNextHop: negotiated.extendedNextHop,
    ...(settings.interface === undefined ? {} : { interfaceName: settings.interface }),
  };
  const candidates = nextHopCandidates(session);
  for (const family of both) {
    // The operator has excluded the family, so it needs no warning.
    if (settings.families && !settings.families.includes(family)) continue;
    if (!negotiated.families.includes(family)) {
      const why = negotiated.withheld.includes(familyName(family))
        ? 'the peer has refused an OPEN that offered it'
        : 'the peer did not offer it';
      warnings.push(`${familyName(family)} is not sent: ${why}`);
      continue;
    }
    const found = nextHopsOf(family, session);
    if (!found) {
      warnings.push(
        `${familyName(family)} is not sent: there is no global IPv${family} address to use as the next hop`,
      );
      continue;
    }
    families.push(family);
    nextHops[family] = stillValid(before?.nextHops[family], found, candidates) ?? found;
  }
  return { families, nextHops, warnings };
}

function stillValid(
  before: readonly IpAddress[] | undefined,
  found: readonly IpAddress[],
  candidates: readonly IpAddress[],
): readonly IpAddress[] | undefined {
  const isCandidate = (address: IpAddress) => candidates.some((one) => sameIp(one, address));
  return before?.length === found.length && before.every(isCandidate) ? before : undefined;
}
