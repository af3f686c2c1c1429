import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp } from '../../../src/address/index.ts';
import { Allocator } from '../../../src/controller/allocator/allocator.ts';
import { exhausted, limitReached, notAllowed, together } from '../../../src/controller/allocator/refusals.ts';
import { config, pool, service } from '../speaker/fixtures.ts';

const others = Array.from({ length: 10 }, (_, i) => notAllowed(`pool p${i} is for other Services`));
const limit = limitReached('default', 3, 'limited', 3);
const full = exhausted('full', 4, 2n);

test('together() chooses one cause and lists the refusals with this cause before all others, even if many others come first in its argument', () => {
  for (const [reasons, cause, message] of [
    [[...others, limit, full], 'pool-exhausted', full.message],
    [[...others, limit], 'limit-reached', limit.message],
    [others, 'pool-not-allowed', 'pool p0 is for other Services'],
  ] as const) {
    const refusal = together(reasons);
    assert.equal(refusal.cause, cause);
    assert.ok(refusal.message.startsWith(`${message}; pool p`), refusal.message);
    assert.ok(refusal.message.endsWith(`; and ${reasons.length - 8} more`), refusal.message);
  }
});

for (const method of ['reconcile', 'adopt'] as const)
  test(`after an exception in ${method}(), a Service holds the addresses that it held before`, () => {
    const allocator = new Allocator();
    allocator.setConfig(config([pool('a', ['192.0.2.0/30'])], []));
    const sound = service('web', ['192.0.2.1']);
    allocator.learn(sound);
    const faulty = Object.defineProperty({ ...sound }, 'ports', {
      get: () => {
        throw new Error('a bug');
      },
    });
    assert.throws(() => allocator[method](faulty), /a bug/);
    assert.deepEqual(
      allocator.holdingOf('default/web').map(({ address }) => formatIp(address)),
      ['192.0.2.1'],
    );
  });
