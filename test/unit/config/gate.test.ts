import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../../src/address/index.ts';
import { type AssignedAddress, judge, rejectionReason } from '../../../src/config/index.ts';

function held(...entries: readonly (readonly [string, string])[]): AssignedAddress[] {
  return entries.map(([service, text]) => {
    const address = parseIp(text);
    assert.ok(address);
    return { service, address };
  });
}

const inUse = held(
  ['default/web', '192.0.2.1'],
  ['default/api', '192.0.2.200'],
  ['team/dual', '2001:db8::5'],
);
const pools = (text: string) => `address-pools:\n${text}`;
const v6 = "- {name: six, protocol: bgp, addresses: ['2001:db8::/64']}\n";

const accepted: readonly (readonly [string, string])[] = [
  ['the pool as it was', `- {name: a, protocol: bgp, addresses: [192.0.2.0/24]}\n${v6}`],
  [
    'a pool that is split',
    `- {name: a, protocol: bgp, addresses: [192.0.2.0/25]}\n- {name: b, protocol: bgp, addresses: [192.0.2.128/25]}\n${v6}`,
  ],
  ['pools that are merged', "- {name: all, protocol: bgp, addresses: [192.0.2.0/24, '2001:db8::/64']}\n"],
  ['a pool that is renamed', `- {name: other, protocol: bgp, addresses: [192.0.2.0/24]}\n${v6}`],
  [
    'a pool that moves to the other protocol',
    `- {name: a, protocol: layer2, addresses: [192.0.2.0/24]}\n${v6}`,
  ],
  [
    'a pool that shrinks to its used addresses',
    `- {name: a, protocol: bgp, addresses: [192.0.2.1/32, 192.0.2.200-192.0.2.200]}\n${v6}`,
  ],
  ['a draining pool', `- {name: a, protocol: bgp, addresses: [192.0.2.0/24], draining: true}\n${v6}`],
];
for (const [name, text] of accepted) {
  test(`judge() accepts ${name}`, () => {
    const judgement = judge(pools(text), { assigned: inUse });
    assert.equal(judgement.kind, 'accepted');
  });
}

const orphaning: readonly (readonly [string, string, readonly string[]])[] = [
  ['a pool that is removed', pools(v6), ['default/web', 'default/api']],
  [
    'a pool that loses its upper half',
    pools(`- {name: a, protocol: bgp, addresses: [192.0.2.0/25]}\n${v6}`),
    ['default/api'],
  ],
  [
    'a range that ends one address too early',
    pools(`- {name: a, protocol: bgp, addresses: [192.0.2.0-192.0.2.199]}\n${v6}`),
    ['default/api'],
  ],
  [
    'a range that begins one address too late',
    pools(`- {name: a, protocol: bgp, addresses: [192.0.2.2-192.0.2.255]}\n${v6}`),
    ['default/web'],
  ],
  [
    'the removal of the only pool with IPv6 addresses',
    pools('- {name: a, protocol: bgp, addresses: [192.0.2.0/24]}\n'),
    ['team/dual'],
  ],
  ['an empty text', '', ['default/web', 'default/api', 'team/dual']],
  ['a text that has only comments', '# gone\n', ['default/web', 'default/api', 'team/dual']],
];
for (const [name, text, orphans] of orphaning) {
  test(`judge() rejects ${name} and names the orphans`, () => {
    const judgement = judge(text, { assigned: inUse });
    assert.ok(judgement.kind === 'rejected');
    assert.deepEqual(judgement.errors, []);
    assert.deepEqual(
      judgement.orphans.map(({ service }) => service),
      orphans,
    );
  });
}

test('judge() finds the range of an address among many ranges', () => {
  const many = Array.from({ length: 500 }, (_, i) => `  - 10.${i >> 8}.${i & 255}.0/25\n`)
    .reverse()
    .join('');
  const text = `address-pools:\n- name: a\n  protocol: bgp\n  addresses:\n${many}`;
  for (const octet of [0, 1, 77, 254]) {
    assert.equal(judge(text, { assigned: held(['a/a', `10.0.${octet}.127`]) }).kind, 'accepted');
    assert.equal(judge(text, { assigned: held(['a/a', `10.0.${octet}.128`]) }).kind, 'rejected');
  }
  assert.equal(judge(text, { assigned: held(['a/a', '9.255.255.255']) }).kind, 'rejected');
  assert.equal(judge(text, { assigned: held(['a/a', '::a00:1']) }).kind, 'rejected');
});

test('judge() rejects a text that does not parse, and returns its errors and no orphans', () => {
  const judgement = judge('peers: 1\n', { assigned: inUse });
  assert.ok(judgement.kind === 'rejected');
  assert.deepEqual(judgement.orphans, []);
  assert.equal(rejectionReason(judgement, 10), 'peers, line 1, column 8: expected a list of peers, not 1');
});

test('judge() rejects a text that cannot be stored', () => {
  const judgement = judge(pools(v6), { storageFault: 'too large' });
  assert.ok(judgement.kind === 'rejected');
  assert.equal(rejectionReason(judgement, 10), 'line 1, column 1: too large');
});

test('rejectionReason() names as many orphans as its limit allows, and counts the others', () => {
  const many = held(...Array.from({ length: 12 }, (_, i) => [`ns/s${i}`, `192.0.2.${i}`] as const));
  const judgement = judge('', { assigned: many });
  assert.ok(judgement.kind === 'rejected');
  const reason = rejectionReason(judgement, 10);
  assert.match(
    reason,
    /^no pool would hold 12 assigned addresses: ns\/s0 192\.0\.2\.0; .*ns\/s9 192\.0\.2\.9; and 2 more\. Keep the range with draining: true/,
  );
  assert.doesNotMatch(reason, /s10/);
  let formatted = 0;
  const counted = judgement.orphans.map(({ address }) => ({
    address,
    get service() {
      formatted++;
      return 'ns/s';
    },
  }));
  rejectionReason({ ...judgement, orphans: counted }, 10);
  assert.equal(formatted, 10, 'only the named orphans cost time');
  assert.match(rejectionReason(judgement, Number.POSITIVE_INFINITY), /ns\/s11 192\.0\.2\.11\. Keep/);
});
