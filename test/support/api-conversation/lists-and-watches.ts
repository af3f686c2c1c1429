/** Selectors, pages and versions of lists and watches. */
import { merge } from './media-types.ts';
import { configMapsPath } from './objects.ts';
import type { Talk, Versioned } from './talk.ts';

export const lists: Talk = async (ask) => {
  for (const name of ['a', 'b', 'c', 'd', 'e'])
    await ask(`create ${name}`, 'POST', configMapsPath, {
      metadata: { name: `list-${name}`, labels: { list: name < 'd' ? 'low' : 'high' } },
    });
  const page = await ask('the first page', 'GET', `${configMapsPath}?limit=2&labelSelector=list`);
  const { continue: token = '' } = (page.body as Versioned).metadata;
  await ask(
    'the second page',
    'GET',
    `${configMapsPath}?limit=2&labelSelector=list&continue=${encodeURIComponent(token)}`,
  );
  await ask('a malformed token', 'GET', `${configMapsPath}?limit=2&continue=nonsense`);
  await ask('by equality', 'GET', `${configMapsPath}?labelSelector=list%3Dlow`);
  await ask('by inequality', 'GET', `${configMapsPath}?labelSelector=list%21%3Dlow,list`);
  await ask('by a set', 'GET', `${configMapsPath}?labelSelector=list%20in%20(low,other)`);
  await ask('a malformed label selector', 'GET', `${configMapsPath}?labelSelector=%3D%3D%3D`);
  await ask('by name', 'GET', `${configMapsPath}?fieldSelector=metadata.name%3Dlist-a`);
  await ask('by a field that has no index', 'GET', `${configMapsPath}?fieldSelector=data.a%3Db`);
  await ask('a malformed version', 'GET', `${configMapsPath}?resourceVersion=x`);
  await ask('a malformed limit', 'GET', `${configMapsPath}?limit=x&labelSelector=list`);
  await ask('version 0', 'GET', `${configMapsPath}?resourceVersion=0&labelSelector=list`);
  await ask('of all namespaces', 'GET', '/api/v1/configmaps?labelSelector=list');
  await ask('delete by label', 'DELETE', `${configMapsPath}?labelSelector=list%3Dlow`);
  await ask('what is left', 'GET', `${configMapsPath}?labelSelector=list`);
};

export const watches: Talk = async (ask) => {
  const { body } = await ask('a list', 'GET', `${configMapsPath}?labelSelector=watched`);
  const version = (body as Versioned).metadata.resourceVersion;
  const watch = (query: string) => `${configMapsPath}?watch=1&timeoutSeconds=1&${query}`;
  await ask('create', 'POST', configMapsPath, { metadata: { name: 'watched', labels: { watched: 'a' } } });
  await ask('change', 'PATCH', `${configMapsPath}/watched`, { data: { a: 'b' } }, merge);
  await ask(
    'stops matching',
    'PATCH',
    `${configMapsPath}/watched`,
    { metadata: { labels: { watched: 'b' } } },
    merge,
  );
  await ask(
    'matches again',
    'PATCH',
    `${configMapsPath}/watched`,
    { metadata: { labels: { watched: 'a' } } },
    merge,
  );
  await ask('delete', 'DELETE', `${configMapsPath}/watched`);
  await ask('all changes', 'GET', watch(`resourceVersion=${version}&labelSelector=watched`));
  await ask(
    'changes that match a value',
    'GET',
    watch(`resourceVersion=${version}&labelSelector=watched%3Da`),
  );
  await ask(
    'changes of an object',
    'GET',
    watch(`resourceVersion=${version}&fieldSelector=metadata.name%3Dwatched`),
  );
  await ask('a malformed version', 'GET', watch('resourceVersion=x'));
  await ask('version 1', 'GET', watch('resourceVersion=1&labelSelector=nothing'));
  await ask('no version', 'GET', watch('labelSelector=list'));
};
