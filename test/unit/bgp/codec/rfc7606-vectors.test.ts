import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodeMessage } from '../../../../src/bgp/codec/index.ts';
import type { PathAttributes } from '../../../../src/bgp/message.ts';
import {
  asPath,
  attribute,
  external,
  hex,
  internal,
  localPref,
  nextHop,
  octets,
  onePrefix,
  origin,
  update,
} from './wire.ts';

/** FRR's test cases of malformed attributes, each with the expected outcome. The file is not part of this project. */
const file = `${process.env.BELLMAN_VECTORS ?? ''}/frr_rfc7606_cases.json`;
const skip = existsSync(file) ? false : 'BELLMAN_VECTORS names no folder with frr_rfc7606_cases.json';

type Outcome = 'discard' | 'withdraw' | 'session-reset';
type Sort = 'ebgp' | 'ibgp';

interface VectorCase {
  readonly name: string;
  readonly attr_type: number | null;
  readonly flags: number;
  readonly data: string;
  readonly nexthop?: string;
  readonly outcome?: Outcome;
  readonly outcome_ebgp?: Outcome;
  readonly outcome_ibgp?: Outcome;
  readonly skip_sorts?: readonly string[];
}

/** Maps an attribute type to the field that must be absent when the attribute is discarded. */
const keys: Readonly<Record<number, keyof PathAttributes>> = {
  6: 'atomicAggregate',
  7: 'aggregator',
  9: 'originatorId',
  10: 'clusterList',
};

function outcomeOf({ attr_type: type, flags, data, nexthop }: VectorCase, sort: Sort): Outcome | 'accepted' {
  const sound: readonly (readonly [number, string])[] = [
    [1, origin],
    [2, asPath],
    [3, nexthop ? attribute(0x40, 3, hex(Uint8Array.from(nexthop.split('.'), Number))) : nextHop],
    ...(sort === 'ibgp' ? [[5, localPref] as const] : []),
  ];
  const attributes = sound.filter(([of]) => of !== type).map(([, text]) => text);
  if (type !== null) attributes.push(attribute(flags, type, data));
  const decoded = decodeMessage(
    update({ attributes: attributes.join(''), nlri: onePrefix }),
    sort === 'ibgp' ? internal : external,
  );
  if (!decoded.ok) return 'session-reset';
  const { message, faults } = decoded.value;
  assert.ok(message.kind === 'update');
  if (faults.some(({ treatment }) => treatment === 'withdraw')) return 'withdraw';
  const key = keys[type ?? 0];
  if (key) {
    assert.ok(faults.some(({ attributeType }) => attributeType === type));
    assert.equal(message.attributes[key], undefined);
    return 'discard';
  }
  // An attribute that is kept as octets counts as discarded, because nothing interprets it.
  const isOpaque = message.attributes.unknown?.some(
    (unknown) => unknown.type === type && hex(unknown.value) === hex(octets(data)),
  );
  return isOpaque || faults.length > 0 ? 'discard' : 'accepted';
}

/** The outcomes that the RFCs require where FRR expects a different outcome. */
const otherwise: Readonly<Record<string, Outcome | 'accepted'>> = {
  // RFC 7606 section 3 (c) judges the Optional and Transitive flags only.
  'origin-flag-partial': 'accepted',
  'aspath-flag-partial': 'accepted',
  // RFC 6793 section 4.1: AS4_PATH of a peer with four-octet AS numbers is discarded.
  'as4path-seg-type-0': 'discard',
};

test("decodeMessage() treats FRR's malformed attributes as FRR expects", { skip }, (t) => {
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: readonly VectorCase[] };
  let judged = 0;
  for (const vector of cases) {
    const sorts = (['ebgp', 'ibgp'] as const).filter((sort) => !vector.skip_sorts?.includes(sort));
    assert.ok(sorts.length > 0, vector.name);
    for (const sort of sorts) {
      const outcome = (sort === 'ebgp' ? vector.outcome_ebgp : vector.outcome_ibgp) ?? vector.outcome;
      const expected = otherwise[vector.name] ?? outcome;
      assert.equal(outcomeOf(vector, sort), expected, `${vector.name} over ${sort}`);
      judged++;
    }
  }
  assert.equal(cases.length, 88);
  t.diagnostic(`${cases.length} cases, ${judged} verdicts`);
});
