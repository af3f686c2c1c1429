import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Secret } from '../../../../src/kubernetes/model.ts';
import { BfdKeys } from '../../../../src/speaker/bfd/bfd-keys.ts';

const config = { type: 'meticulous-sha1', keySecret: 'bfd', keyId: 1 } as const;
const octets = (text: string) => new TextEncoder().encode(text);
const base64 = (text: string) => Buffer.from(text).toString('base64');
const secret = (data: Readonly<Record<string, string>>): Secret => ({
  namespace: 'bellman-system',
  name: 'bfd',
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, octets(value)])),
});

function keysWith(data: Readonly<Record<string, string>>): BfdKeys {
  const keys = new BfdKeys('bellman-system');
  keys.setSecret('bfd', secret(data));
  return keys;
}

describe('BfdKeys', () => {
  test('takes every key whose name is a key id, and uses the configured one to send', () => {
    const { authentication, warning } = keysWith({
      '7': 'new',
      '1': 'old',
      password: 'x',
      '256': 'y',
      '01': 'z',
    }).resolve(config);
    assert.equal(warning, undefined);
    assert.deepEqual(authentication, {
      type: 'meticulous-sha1',
      sendKeyId: 1,
      keys: [
        { id: 1, secret: base64('old') },
        { id: 7, secret: base64('new') },
      ],
    });
  });

  test('says what is wrong with the Secret, and gives no keys', () => {
    const fault = (data: Readonly<Record<string, string>>) => keysWith(data).resolve(config);
    assert.deepEqual(fault({ '2': 'x', a: 'y' }), {
      warning: 'Secret bellman-system/bfd has no key 1, only 2, a: BFD does not run',
    });
    assert.match(fault({ '1': '' }).warning ?? '', /is empty at key 1/);
    assert.match(
      fault({ '1': 'x'.repeat(21) }).warning ?? '',
      /has 21 octets at key 1; meticulous-sha1 takes at most 20/,
    );
    assert.match(
      new BfdKeys('bellman-system').resolve(config).warning ?? '',
      /does not exist or lacks the label bellman\.dev\/secret=peer-password \(kubectl -n bellman-system label secret bfd /,
    );
  });

  test('refuses a key of more than 16 octets for MD5, and takes the same key for SHA-1', () => {
    const keys = keysWith({ '1': 'x'.repeat(17) });
    assert.match(keys.resolve({ ...config, type: 'keyed-md5' }).warning ?? '', /at most 16/);
    assert.equal(keys.resolve(config).warning, undefined);
  });

  test('keeps the last keys while the Secret is unusable, for the same settings only', () => {
    const keys = keysWith({ '1': 'x' });
    const { authentication } = keys.resolve(config);
    keys.setSecret('bfd', undefined);
    const without = keys.resolve(config);
    assert.deepEqual(without.authentication, authentication);
    assert.match(without.warning ?? '', /BFD keeps its last keys$/);
    assert.equal(keys.resolve({ ...config, keyId: 2 }).authentication, undefined);
    keys.keepOnly([]);
    assert.equal(keys.resolve(config).authentication, undefined);
  });
});
