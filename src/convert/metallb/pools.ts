import type { RawPool } from '../../config/index.ts';
import type { Draft } from '../draft.ts';
import { placeOf, type SourceObject, specOf } from '../objects.ts';
import type { SourcePool } from '../protocols.ts';
import type { Report } from '../report.ts';

/** Converts an IPAddressPool. Its advertisements and its protocol come later. */
export function convertPool(object: SourceObject, draft: Draft, report: Report): SourcePool {
  const spec = specOf(object, report);
  const at = draft.nextPool;
  const addresses = spec.texts('addresses')?.carried(`${at}.addresses`);
  if (addresses === undefined) spec.lacks('addresses', 'a list of prefixes and ranges');
  const value: RawPool = {
    name: object.name,
    protocol: 'none',
    addresses: addresses ?? [],
    'auto-assign': spec.boolean('autoAssign')?.carried(`${at}.auto-assign`),
    'avoid-buggy-ips': spec.boolean('avoidBuggyIPs')?.carried(`${at}.avoid-buggy-ips`),
  };
  const allocation = spec.object('serviceAllocation');
  if (allocation) {
    const priority = allocation.number('priority');
    if (priority?.value === 0)
      priority.changed(
        '',
        'left out; 0 means no priority in MetalLB, and a pool without a priority is tried last',
      );
    else value.priority = priority?.carried(`${at}.priority`);
    value.namespaces = allocation.texts('namespaces')?.carried(`${at}.namespaces`);
    value['namespace-selectors'] = allocation
      .selectors('namespaceSelectors')
      ?.carried(`${at}.namespace-selectors`);
    value['service-selectors'] = allocation.selectors('serviceSelectors')?.carried(`${at}.service-selectors`);
  }
  spec.dropOthers('Bellman knows no such setting of a pool');
  report.cameFrom(at, placeOf(object));
  return { ...draft.addPool(value), object };
}
