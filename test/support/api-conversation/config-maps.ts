/** The ConfigMap that holds the configuration, with its annotations and limits. */
import { merge } from './media-types.ts';
import { configMapsPath } from './objects.ts';
import { type Talk, versionOf } from './talk.ts';

export const configMaps: Talk = async (ask) => {
  await ask('create', 'POST', configMapsPath, { metadata: { name: 'config' }, data: { config: 'text' } });
  await ask('create a second time', 'POST', configMapsPath, { metadata: { name: 'config' } });
  const first = await ask(
    'annotate',
    'PATCH',
    `${configMapsPath}/config`,
    { metadata: { annotations: { a: 'b' } } },
    merge,
  );
  await ask(
    'annotate with the same',
    'PATCH',
    `${configMapsPath}/config`,
    { metadata: { annotations: { a: 'b' } } },
    merge,
  );
  await ask(
    'annotate another',
    'PATCH',
    `${configMapsPath}/config`,
    { metadata: { annotations: { c: 'd' } } },
    merge,
  );
  await ask(
    'annotate an old version',
    'PATCH',
    `${configMapsPath}/config`,
    { metadata: { resourceVersion: versionOf(first), annotations: { e: 'f' } } },
    merge,
  );
  await ask('data of a wrong type', 'PATCH', `${configMapsPath}/config`, { data: { config: 1 } }, merge);
  await ask('a key with a slash', 'PATCH', `${configMapsPath}/config`, { data: { 'a/b': 'c' } }, merge);
  await ask(
    'annotations of 257 KiB',
    'PATCH',
    `${configMapsPath}/config`,
    { metadata: { annotations: { long: 'x'.repeat(257 * 1024) } } },
    merge,
  );
  await ask(
    'data of 1.2 MB',
    'PATCH',
    `${configMapsPath}/config`,
    { data: { long: 'x'.repeat(1_200_000) } },
    merge,
  );
  await ask('a missing one', 'GET', `${configMapsPath}/missing`);
  await ask('delete', 'DELETE', `${configMapsPath}/config`);
};
