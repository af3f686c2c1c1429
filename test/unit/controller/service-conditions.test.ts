import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp } from '../../../src/address/index.ts';
import type { Assigned } from '../../../src/controller/allocator/holding.ts';
import {
  announcingProtocols,
  changedConditions,
  type JudgedService,
} from '../../../src/controller/services/service-conditions.ts';
import type { ServiceCondition } from '../../../src/kubernetes/model.ts';
import { advertisement, pool } from '../speaker/fixtures.ts';

const now = '2026-01-02T03:04:05Z';
const later = '2026-01-02T04:00:00Z';

function held(text: string, name: string): Assigned {
  const address = parseIp(text);
  assert.ok(address);
  return { address, pool: name, allocatedFrom: name };
}

const protocols = { office: ['layer2'], public: ['bgp'], both: ['bgp', 'layer2'], silent: [] } as const;

function judged(assigned: readonly Assigned[], over: Partial<JudgedService> = {}): JudgedService {
  return {
    service: { annotations: {} },
    assigned,
    refusal: undefined,
    protocolsOf: (each) => protocols[each.pool as keyof typeof protocols] ?? [],
    ...over,
  };
}

const record = (text: string) => ({ service: { annotations: { 'bellman.dev/announcing': text } } });
const office = held('192.0.2.241', 'office');

/** Each condition as `status reason`. */
function texts(conditions: readonly ServiceCondition[] | undefined): string[] | undefined {
  return conditions?.map(({ status, reason }) => `${status} ${reason}`);
}

describe('announcingProtocols()', () => {
  const web = [{ matchLabels: { tier: 'web' }, matchExpressions: [] }];
  const anywhere = { nodeSelectors: [], preferredNodes: [], interfaces: [] };
  const layer2 = (serviceSelectors: typeof web) => [{ ...anywhere, serviceSelectors }];
  const bgp = (serviceSelectors: typeof web) => [advertisement({ serviceSelectors })];
  const mixed = { protocols: ['bgp', 'layer2'] } as const;
  for (const [name, over, expected] of [
    ['of a pool without l2-advertisements', mixed, ['bgp', 'layer2']],
    [
      'of a pool whose l2-advertisements are for other Services',
      { ...mixed, l2Advertisements: layer2(web) },
      ['bgp'],
    ],
    [
      'of a pool with l2-advertisements of which one is for all Services',
      { ...mixed, l2Advertisements: [...layer2(web), ...layer2([])] },
      ['bgp', 'layer2'],
    ],
    [
      'of a pool whose bgp-advertisements are for other Services',
      { ...mixed, bgpAdvertisements: bgp(web) },
      ['layer2'],
    ],
    [
      'of a pool whose advertisements are all for other Services',
      { ...mixed, l2Advertisements: layer2(web), bgpAdvertisements: bgp(web) },
      ['bgp', 'layer2'],
    ],
    [
      'of a layer-2 pool whose l2-advertisements are for other Services',
      { protocols: ['layer2'], bgpAdvertisements: [], l2Advertisements: layer2(web) },
      ['layer2'],
    ],
    ['of a pool with the protocol none', { protocols: [], bgpAdvertisements: [] }, []],
  ] as const)
    test(`returns the protocols ${name}`, () =>
      assert.deepEqual(announcingProtocols(pool('a', [], over), { tier: 'db' }), expected));
});

describe('changedConditions()', () => {
  const rows: readonly (readonly [string, JudgedService, assigned: string, announced: string])[] = [
    [
      'a refusal',
      judged([], { refusal: { cause: 'pool-exhausted', message: 'pool office is full' } }),
      'False PoolExhausted',
      'False NoAddress',
    ],
    ['no decision yet', judged([]), 'False NotDecided', 'False NoAddress'],
    ['an address that no node answers for', judged([office]), 'True Assigned', 'False NoNodeAnswers'],
    [
      'an address that a node answers for',
      judged([office], record('192.0.2.241=node-1/eth0')),
      'True Assigned',
      'True Answered',
    ],
    [
      'an address while the announcing record names only another one',
      judged([office], record('192.0.2.242=node-1/eth0')),
      'True Assigned',
      'False NoNodeAnswers',
    ],
    [
      'two addresses, of which a node answers for only one',
      judged([office, held('2001:db8::1', 'office')], record('192.0.2.241=node-1/eth0')),
      'True Assigned',
      'False NoNodeAnswers',
    ],
    [
      'an address that only BGP may announce',
      judged([held('198.51.100.1', 'public')]),
      'True Assigned',
      'Unknown AnnouncedByBGP',
    ],
    [
      'an address of both protocols that no node answers for',
      judged([held('203.0.113.1', 'both')]),
      'True Assigned',
      'False NoNodeAnswers',
    ],
    [
      'an address of both protocols that a node answers for',
      judged([held('203.0.113.1', 'both')], record('203.0.113.1=node-1/eth0')),
      'True Assigned',
      'Unknown AnnouncedByBGP',
    ],
    [
      'an address of a pool with the protocol none',
      judged([held('100.64.0.1', 'silent')]),
      'True Assigned',
      'False ProtocolNone',
    ],
    [
      'an address and the refusal of a second one',
      judged([office], { refusal: { cause: 'pool-exhausted', message: 'no IPv6 address' } }),
      'False PoolExhausted',
      'False NoNodeAnswers',
    ],
  ];
  for (const [name, service, assigned, announced] of rows)
    test(`reports ${name}`, () => {
      assert.deepEqual(texts(changedConditions([], service, now)), [assigned, announced]);
    });

  test('returns undefined when nothing changes, and keeps the time of a condition of which only the message changes', () => {
    const shown = changedConditions([], judged([office]), now) ?? [];
    assert.equal(changedConditions(shown, judged([office]), later), undefined);
    assert.equal(changedConditions([...shown].reverse(), judged([office]), later), undefined);
    const other = changedConditions(shown, judged([held('192.0.2.242', 'office')]), later) ?? [];
    assert.deepEqual(
      other.map(({ lastTransitionTime }) => lastTransitionTime),
      [now, now],
    );
    const answered = changedConditions(shown, judged([office], record('192.0.2.241=node-1/eth0')), later);
    assert.deepEqual(
      answered?.map(({ status, lastTransitionTime }) => `${status} ${lastTransitionTime}`),
      [`True ${now}`, `True ${later}`],
    );
  });

  test('removes the conditions of a Service that is not ours, once', () => {
    const shown = changedConditions([], judged([office]), now) ?? [];
    assert.deepEqual(changedConditions(shown, undefined, later), []);
    assert.equal(changedConditions([], undefined, later), undefined);
  });
});
