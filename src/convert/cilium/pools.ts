import type { IpRange } from '../../address/index.ts';
import { printRange, type RawPool } from '../../config/index.ts';
import type { Draft } from '../draft.ts';
import type { Field, Fields } from '../fields.ts';
import { placeOf, type SourceObject, specOf } from '../objects.ts';
import type { SourcePool } from '../protocols.ts';
import { readRange } from '../ranges.ts';
import type { Report } from '../report.ts';
import { isEmptySelector, type Selector } from '../selectors.ts';
import { show } from '../text.ts';
import { splitServiceSelector } from './service-selectors.ts';

/** Converts a CiliumLoadBalancerIPPool. Its advertisements and its protocol come later. */
export function convertPool(object: SourceObject, draft: Draft, report: Report): SourcePool {
  const spec = specOf(object, report);
  const at = draft.nextPool;
  report.cameFrom(at, placeOf(object));
  const firstLast = spec.text('allowFirstLastIPs');
  const keepsEnds = firstLast?.value !== 'No';
  const blocks = [...spec.objects('blocks'), ...spec.objects('cidrs')];
  if (blocks.length === 0) spec.lacks('blocks', 'at least one block with cidr, or with start and stop');
  const value: RawPool = {
    name: object.name,
    protocol: 'none',
    addresses: blocks.flatMap((block) => blockOf(block, `${at}.addresses`, keepsEnds)),
    draining: spec.boolean('disabled')?.carried(`${at}.draining`),
  };
  if (firstLast && !keepsEnds)
    firstLast.changed(`${at}.addresses`, 'the first and the last address of each prefix are left out');
  else firstLast?.changed('', 'left out; it is the default');
  convertSelector(spec.selector('serviceSelector'), value, at);
  spec.dropOthers('Bellman knows no such setting of a pool');
  return { ...draft.addPool(value), object };
}

function blockOf(block: Fields, to: string, keepsEnds: boolean): string[] {
  const [cidr, start, stop] = [block.text('cidr'), block.text('start'), block.text('stop')];
  if (cidr) {
    const range = readRange(cidr.value);
    if (!range) {
      cidr.refuse(`${show(cidr.value)} is not a prefix like 192.0.2.0/24`);
      return [];
    }
    const size = range.last - range.first + 1n;
    if (keepsEnds || size <= 2n) return [cidr.carried(to)];
    const inner: IpRange = { ...range, first: range.first + 1n, last: range.last - 1n };
    cidr.changed(to, `written as ${printRange(inner)}`);
    return [printRange(inner)];
  }
  if (!start) {
    block.lacks('cidr', 'cidr, or start and stop');
    return [];
  }
  const range = readRange(`${start.value}-${(stop ?? start).value}`);
  if (!range) {
    start.refuse(`${show(start.value)} and ${show((stop ?? start).value)} are not the two ends of a range`);
    return [];
  }
  start.carried(to);
  stop?.carried(to);
  return [printRange(range)];
}

function convertSelector(selector: Field<Selector> | undefined, pool: RawPool, at: string): void {
  if (!selector) return;
  if (isEmptySelector(selector.value)) return void selector.changed('', 'left out; it selects every Service');
  const split = splitServiceSelector(selector.value);
  if (!split) {
    // Without its selector the pool would serve Services that Cilium keeps out.
    pool['auto-assign'] = false;
    selector.dropped(
      'a pool can neither select a Service by its name nor exclude namespaces; with auto-assign: false, only Services that name the pool get its addresses',
    );
    return;
  }
  const { namespaces, rest } = split;
  const places: string[] = [];
  if (namespaces) {
    pool.namespaces = namespaces;
    places.push(`${at}.namespaces`);
  }
  if (!isEmptySelector(rest)) {
    pool['service-selectors'] = [rest];
    places.push(`${at}.service-selectors`);
  }
  if (namespaces) selector.changed(places, 'the label io.kubernetes.service.namespace becomes namespaces');
  else selector.carried(places);
}
