/** The address families that a session carries, and their next hops. Pure. */
import type { Family, IpAddress } from '../../address/index.ts';
import { familyName, type Negotiated } from '../negotiation.ts';
import { type InterfaceAddresses, nextHopsOf } from '../next-hop.ts';
import type { PeerSettings } from '../peer.ts';

export interface CarriedFamilies {
  readonly families: readonly Family[];
  readonly nextHops: Readonly<Partial<Record<Family, readonly IpAddress[]>>>;
  /** One sentence for each family that the session does not carry. */
  readonly warnings: readonly string[];
}

const both: readonly Family[] = [4, 6];

export function carriedFamilies(
  local: IpAddress,
  negotiated: Negotiated,
  settings: PeerSettings,
  interfaces: readonly InterfaceAddresses[],
): CarriedFamilies {
  const families: Family[] = [];
  const nextHops: Partial<Record<Family, readonly IpAddress[]>> = {};
  const warnings: string[] = [];
  for (const family of both) {
    if (!negotiated.families.includes(family)) {
      const why = negotiated.withheld.includes(familyName(family))
        ? 'the peer has refused our OPEN with it'
        : 'the peer did not offer it';
      warnings.push(`${familyName(family)} is not sent: ${why}`);
      continue;
    }
    const found = nextHopsOf(family, {
      local,
      interfaces,
      extendedNextHop: negotiated.extendedNextHop,
      ...(settings.interface === undefined ? {} : { interfaceName: settings.interface }),
    });
    if (!found) {
      warnings.push(
        `${familyName(family)} is not sent: the session's interface has no global IPv${family} address to be the next hop`,
      );
      continue;
    }
    families.push(family);
    nextHops[family] = found;
  }
  return { families, nextHops, warnings };
}
