/** Secrets, Namespaces, ServiceAccounts and their tokens, TokenReviews and SubjectAccessReviews. */
import { merge } from './media-types.ts';
import { core } from './objects.ts';
import type { Talk } from './talk.ts';

export const accounts: Talk = async (ask) => {
  const path = `${core}/secrets`;
  await ask('a Secret with text', 'POST', path, { metadata: { name: 'a' }, stringData: { password: 'x' } });
  await ask('a Secret with data that is no base64', 'POST', path, {
    metadata: { name: 'b' },
    data: { password: '%' },
  });
  await ask('another type', 'PATCH', `${path}/a`, { type: 'example.com/other' }, merge);
  await ask('an immutable Secret', 'PATCH', `${path}/a`, { immutable: true }, merge);
  await ask('new data in it', 'PATCH', `${path}/a`, { data: { password: 'eQ==' } }, merge);
  await ask('a Namespace', 'POST', '/api/v1/namespaces', { metadata: { name: 'made' } });
  await ask('a Namespace with a dot', 'POST', '/api/v1/namespaces', { metadata: { name: 'made.up' } });
  await ask('the Namespace default', 'GET', '/api/v1/namespaces/default');
  await ask('an object in the new Namespace', 'POST', '/api/v1/namespaces/made/configmaps', {
    metadata: { name: 'inside' },
  });
  await ask('a ServiceAccount', 'POST', `${core}/serviceaccounts`, { metadata: { name: 'made' } });
  await ask('a token without audience', 'POST', `${core}/serviceaccounts/made/token`, { spec: {} });
  await ask('a token of an account that does not exist', 'POST', `${core}/serviceaccounts/none/token`, {
    spec: { audiences: ['a'] },
  });
  const { body } = await ask('a token', 'POST', `${core}/serviceaccounts/made/token`, {
    spec: { audiences: ['a'] },
  });
  const { token } = (body as { status: { token: string } }).status;
  const reviews = '/apis/authentication.k8s.io/v1/tokenreviews';
  await ask('the review of the token', 'POST', reviews, { spec: { token, audiences: ['a'] } });
  await ask('the review for another audience', 'POST', reviews, { spec: { token, audiences: ['b'] } });
  await ask('the review of a made-up token', 'POST', reviews, {
    spec: { token: 'made-up', audiences: ['a'] },
  });
  const access = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
  const nonResourceAttributes = { path: '/status', verb: 'get' };
  await ask('whether the viewer may read /status', 'POST', access, {
    spec: { user: 'system:serviceaccount:bellman-system:viewer', nonResourceAttributes },
  });
  await ask('whether another account may', 'POST', access, {
    spec: { user: 'system:serviceaccount:default:made', nonResourceAttributes },
  });
};
