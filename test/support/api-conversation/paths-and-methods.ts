/** Requests for which the server has no handler, and the request for its version. */
import { core, loadBalancer, servicesPath } from './objects.ts';
import type { Talk } from './talk.ts';

export const pathsAndMethods: Talk = async (ask) => {
  await ask('an unknown kind', 'GET', `${core}/widgets`);
  await ask('an unknown group', 'GET', '/apis/example.com/v1/widgets');
  await ask('an unknown version', 'GET', '/api/v2/services');
  await ask('an unknown subresource', 'GET', `${servicesPath}/dns/scale`);
  await ask('POST to an object', 'POST', `${servicesPath}/dns`, loadBalancer('dns'));
  await ask('PUT to a collection', 'PUT', servicesPath, loadBalancer('dns'));
  await ask('the version', 'GET', '/version');
};
