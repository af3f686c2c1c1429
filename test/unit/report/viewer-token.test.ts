import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Api } from '../../../src/kubernetes/api.ts';
import { ViewerTokenSource } from '../../../src/report/read/viewer-token.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

test('ViewerTokenSource keeps a token for five minutes, and a refusal for five seconds', async () => {
  const clock = new VirtualClock();
  let asked = 0;
  let isGranted = false;
  const request = () => {
    asked++;
    return isGranted
      ? Promise.resolve({ status: { token: `token ${asked}` } })
      : Promise.reject(new Error('no'));
  };
  const source = new ViewerTokenSource({ request } as unknown as Api, 'bellman-system', clock);
  assert.match((await source.get()).problem ?? '', /the request for this token failed: no$/);
  isGranted = true;
  clock.advance(4999);
  assert.equal((await source.get()).token, undefined);
  clock.advance(1);
  assert.equal((await source.get()).token, 'token 2');
  clock.advance(299_999);
  assert.equal((await source.get()).token, 'token 2');
  clock.advance(1);
  assert.equal((await source.get()).token, 'token 3');
});
