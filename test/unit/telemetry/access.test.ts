import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AccessControl } from '../../../src/telemetry/access.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

type Verdict = 'allowed' | 'unauthenticated' | 'forbidden';

function control(judge: (token: string) => Promise<Verdict>) {
  const clock = new VirtualClock();
  const asked: string[] = [];
  const access = new AccessControl({
    clock,
    judge: (token) => {
      asked.push(token);
      return judge(token);
    },
  });
  const check = async (token?: string, address = '192.0.2.1', namesOwnHost = true) => {
    const authorization = token === undefined ? undefined : `Bearer ${token}`;
    const result = await access.check({ address, namesOwnHost }, authorization, '/status');
    return result.allowed ? 200 : result.status;
  };
  return { clock, asked, check };
}

describe('AccessControl.check()', () => {
  test('allows loopback without a token', async () => {
    const { check, asked } = control(() => Promise.reject(new Error('not asked')));
    for (const from of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'])
      assert.equal(await check(undefined, from), 200);
    assert.deepEqual(asked, []);
  });

  test('needs a token from a client on loopback that names another host', async () => {
    const { check } = control(() => Promise.resolve('allowed'));
    assert.equal(await check(undefined, '127.0.0.1', false), 401);
    assert.equal(await check('token', '127.0.0.1', false), 200);
  });

  test('refuses other clients without a usable token', async () => {
    const { check, asked } = control(() => Promise.resolve('allowed'));
    for (const token of [undefined, '', 'a b', 'x'.repeat(8193), 'ü']) assert.equal(await check(token), 401);
    for (const from of ['::ffff:192.0.2.1', '128.0.0.1', '::2'])
      assert.equal(await check(undefined, from), 401);
    assert.deepEqual(asked, []);
  });

  test("follows the API server's verdict", async () => {
    const { check } = control((token) => Promise.resolve(token as Verdict));
    assert.equal(await check('allowed'), 200);
    assert.equal(await check('unauthenticated'), 401);
    assert.equal(await check('forbidden'), 403);
  });

  test('asks once per token until the verdict expires', async () => {
    const { check, asked, clock } = control((token) => Promise.resolve(token as Verdict));
    for (let i = 0; i < 3; i++) {
      await check('allowed');
      await check('forbidden');
    }
    assert.deepEqual(asked, ['allowed', 'forbidden']);
    clock.advance(11_000);
    await check('allowed');
    await check('forbidden');
    assert.deepEqual(asked, ['allowed', 'forbidden', 'forbidden']);
    clock.advance(60_000);
    await check('allowed');
    assert.equal(asked.length, 4);
  });

  test('asks again after the API server was away', async () => {
    let isAway = true;
    const { check } = control(() =>
      isAway ? Promise.reject(new Error('connection refused')) : Promise.resolve('allowed'),
    );
    assert.equal(await check('token'), 503);
    isAway = false;
    assert.equal(await check('token'), 200);
  });

  test('distinguishes a refusal by the API server from an outage', async () => {
    const refusal = new Error('forbidden');
    const access = new AccessControl({
      clock: new VirtualClock(),
      judge: (token) => Promise.reject(token === 'refused' ? refusal : new Error('silence')),
      isRefusal: (error) => error === refusal,
    });
    const statusOf = async (token: string) => {
      const client = { address: '192.0.2.1', namesOwnHost: true };
      const result = await access.check(client, `Bearer ${token}`, '/status');
      return result.allowed ? 200 : result.status;
    };
    assert.equal(await statusOf('refused'), 502);
    assert.equal(await statusOf('away'), 503);
  });

  test('bounds the number of requests that wait for a verdict', async () => {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const { check, asked } = control(() => promise);
    const waiting = [1, 1, 2, 2, 3, 3].map((host, i) => check(`token-${i}`, `192.0.2.${host}`));
    assert.equal(await check('one-more', '192.0.2.4'), 429);
    assert.equal(asked.length, 6);
    resolve('allowed');
    assert.deepEqual(await Promise.all(waiting), [200, 200, 200, 200, 200, 200]);
    assert.equal(await check('one-more', '192.0.2.4'), 200);
  });

  test('lets no host keep others out by tokens that wait for a verdict', async () => {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const { check, asked } = control(() => promise);
    const flood = [1, 2, 3, 4].map((i) => check(`made-up-${i}`, '192.0.2.1', i % 2 === 0));
    const viewer = check('genuine', '192.0.2.2', false);
    resolve('allowed');
    assert.deepEqual(await Promise.all(flood), [200, 200, 429, 429]);
    assert.equal(await viewer, 200);
    assert.equal(asked.length, 3);
  });
});
