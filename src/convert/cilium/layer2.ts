import type { RawLayer2Advertisement } from '../../config/index.ts';
import { addLayer2Advertisement } from '../draft.ts';
import type { Field } from '../fields.ts';
import { literalNames } from '../interfaces.ts';
import { placeOf, type SourceObject, specOf } from '../objects.ts';
import type { SourcePool } from '../protocols.ts';
import type { Report } from '../report.ts';
import { isEmptySelector } from '../selectors.ts';
import { advertisementSelector, reportSelector, selectsNothing } from './service-selectors.ts';

/** Converts a CiliumL2AnnouncementPolicy: each pool gets an advertisement in layer 2. */
export function convertPolicy(object: SourceObject, pools: readonly SourcePool[], report: Report): void {
  const spec = specOf(object, report);
  const loadBalancer = spec.boolean('loadBalancerIPs');
  if (loadBalancer?.value !== true || pools.length === 0) {
    loadBalancer?.dropped(
      loadBalancer.value ? 'there is no pool' : 'the policy announces no addresses of load balancers',
    );
    spec.dropOthers('the policy is left out, because it announces no address of a pool');
    return;
  }
  const services = spec.selector('serviceSelector');
  const selected = advertisementSelector(services?.value);
  if (selected.kind === 'none') {
    loadBalancer.dropped(selectsNothing);
    services?.dropped(selectsNothing);
    spec.dropOthers(selectsNothing);
    return;
  }
  const nodes = spec.selector('nodeSelector');
  const patterns = spec.texts('interfaces');
  const interfaces = patterns && namesOf(patterns);
  const advertisement: RawLayer2Advertisement = {
    interfaces,
    'node-selectors': nodes && !isEmptySelector(nodes.value) ? [nodes.value] : undefined,
    'service-selectors': selected.kind === 'labels' ? selected.selectors : undefined,
  };
  const places = pools.map((pool) => addLayer2Advertisement(pool, advertisement));
  for (const place of places) report.cameFrom(place, placeOf(object));
  const to = (key: string) => places.map((place) => `${place}.${key}`);
  loadBalancer.changed(places, 'the policy is written into each pool');
  if (nodes && isEmptySelector(nodes.value)) nodes.changed('', 'left out; it selects every node');
  else nodes?.carried(to('node-selectors'));
  if (patterns && interfaces)
    patterns.changed(to('interfaces'), `${interfaces.join(', ')}; names, not patterns`);
  else
    patterns?.dropped(
      'Bellman takes names of interfaces, not patterns; without names it answers on every link whose subnet holds the address',
    );
  reportSelector(services, to('service-selectors'));
  spec.boolean('externalIPs')?.dropped('Bellman announces only addresses that it assigns');
  spec.dropOthers('Bellman knows no such setting of an advertisement in layer 2');
}

/** All names that the patterns list; `undefined` when `literalNames` cannot list the names of one of the patterns. */
function namesOf(patterns: Field<string[]>): string[] | undefined {
  const names = new Set<string>();
  for (const pattern of patterns.value) {
    const literal = literalNames(pattern);
    if (!literal) return undefined;
    for (const name of literal) names.add(name);
  }
  return [...names];
}
