import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Api, ApiRequest } from '../../../src/kubernetes/api.ts';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import { requestToken } from '../../../src/kubernetes/token-request.ts';
import { accessByToken, judgeToken } from '../../../src/kubernetes/token-review.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const viewer = { address: '192.0.2.1', namesOwnHost: true };

/** An API server with fixed answers. The last segment of the path of a request selects the answer. */
function api(answers: Readonly<Record<string, unknown>>): { api: Api; requests: ApiRequest[] } {
  const requests: ApiRequest[] = [];
  const client = {
    request: (request: ApiRequest) => {
      requests.push(request);
      return Promise.resolve(answers[request.path.split('/').at(-1) ?? '']);
    },
  } as unknown as Api;
  return { api: client, requests };
}

const user = { username: 'system:serviceaccount:bellman-system:viewer', groups: ['system:authenticated'] };
const authenticated = { status: { authenticated: true, user, audiences: ['bellman.dev'] } };

describe('judgeToken()', () => {
  test('allows a user with the right to get the path', async () => {
    const { api: client, requests } = api({
      tokenreviews: authenticated,
      subjectaccessreviews: { status: { allowed: true } },
    });
    assert.equal(await judgeToken(client, 'secret', 'bellman.dev', '/status'), 'allowed');
    const [review, access] = requests.map(({ body }) => (body as { spec: unknown }).spec);
    assert.deepEqual(review, { token: 'secret', audiences: ['bellman.dev'] });
    assert.deepEqual(JSON.parse(JSON.stringify(access)), {
      user: user.username,
      groups: user.groups,
      nonResourceAttributes: { path: '/status', verb: 'get' },
    });
  });

  test('refuses a user without the right', async () => {
    const { api: client } = api({
      tokenreviews: authenticated,
      subjectaccessreviews: { status: { allowed: false } },
    });
    assert.equal(await judgeToken(client, 'secret', 'bellman.dev', '/status'), 'forbidden');
  });

  test('refuses unknown tokens, tokens of another audience and tokens whose TokenReview is incomplete', async () => {
    const refused = [
      { status: { authenticated: false } },
      { status: { authenticated: true, user, audiences: ['https://kubernetes.default.svc'] } },
      { status: { authenticated: true, user } },
      {},
    ];
    for (const tokenreviews of refused) {
      const { api: client, requests } = api({
        tokenreviews,
        subjectaccessreviews: { status: { allowed: true } },
      });
      assert.equal(await judgeToken(client, 'secret', 'bellman.dev', '/status'), 'unauthenticated');
      assert.equal(requests.length, 1);
    }
  });
});

describe('accessByToken()', () => {
  test('answers 503 at once, without a request, while the API server does not answer', async () => {
    const { api: client, requests } = api({});
    Object.assign(client, { reachability: { isAnswering: false } });
    const access = accessByToken(client, new VirtualClock(), 'bellman.dev');
    assert.deepEqual(await access.check(viewer, 'Bearer secret', '/status'), {
      allowed: false,
      status: 503,
      reason: 'this process cannot ask the API server about the token: the API server does not answer',
    });
    assert.deepEqual(requests, []);
  });
});

describe('accessByToken() when the API server does not judge a token', () => {
  for (const [status, expected] of [
    [0, 503],
    [403, 502],
    [429, 502],
    [500, 502],
  ] as const)
    test(`answers ${expected} for status ${status}`, async () => {
      const { api: client } = api({});
      const failing: Api = Object.assign(client, {
        reachability: { isAnswering: true },
        request: () => Promise.reject(new ApiError(status, 'Failure', 'no')),
      });
      const access = accessByToken(failing, new VirtualClock(), 'bellman.dev');
      const answer = await access.check(viewer, 'Bearer secret', '/status');
      assert.equal('status' in answer && answer.status, expected);
    });
});

describe('requestToken()', () => {
  test('asks for a token of one audience', async () => {
    const { api: client, requests } = api({ token: { status: { token: 'issued' } } });
    assert.equal(await requestToken(client, 'bellman-system', 'viewer', 'bellman.dev'), 'issued');
    assert.equal(requests[0]?.path, '/api/v1/namespaces/bellman-system/serviceaccounts/viewer/token');
    const body = requests[0]?.body as { readonly spec: { readonly audiences: unknown } } | undefined;
    assert.deepEqual(body?.spec.audiences, ['bellman.dev']);
  });

  test('rejects an answer without a token', async () => {
    const { api: client } = api({ token: {} });
    await assert.rejects(requestToken(client, 'bellman-system', 'viewer', 'bellman.dev'), /no token/);
  });
});
