import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMembershipKeys } from '../../../src/cluster/membership-keys.ts';
import type { Secret } from '../../../src/kubernetes/model.ts';

const one = Buffer.alloc(32, 1).toString('base64');
const two = Buffer.alloc(32, 2).toString('base64');

function secret(data: Record<string, string>): Secret {
  const octets = Object.entries(data).map(([key, text]) => [key, new TextEncoder().encode(text)]);
  return { namespace: 'bellman-system', name: 'bellman-membership', data: Object.fromEntries(octets) };
}

for (const [what, given, expected] of [
  ['one key', secret({ keys: one }), [one]],
  ['two keys, with empty lines and spaces', secret({ keys: `\n ${two} \r\n\n${one}\n` }), [two, one]],
  ['no Secret', undefined, 'Secret bellman-membership does not exist'],
  [
    'a Secret without the data key "keys"',
    secret({ key: one }),
    'Secret bellman-membership has no key keys, only key',
  ],
  [
    'an empty list of keys',
    secret({ keys: ' \n' }),
    'Secret bellman-membership has no membership key under keys',
  ],
  [
    'a key with too few octets',
    secret({ keys: `${one}\n${Buffer.alloc(16, 1).toString('base64')}` }),
    'Secret bellman-membership, keys, line 2 is not 32 octets in base64',
  ],
  [
    'text that is not base64',
    secret({ keys: 'garbage' }),
    'Secret bellman-membership, keys, line 1 is not 32 octets in base64',
  ],
  [
    'a character after the base64',
    secret({ keys: `${one}!` }),
    'Secret bellman-membership, keys, line 1 is not 32 octets in base64',
  ],
] as const)
  test(`readMembershipKeys() ${typeof expected === 'string' ? 'refuses' : 'reads'} ${what}`, () => {
    const read = readMembershipKeys(given);
    assert.deepEqual(read.ok ? read.value : read.error, expected);
  });
