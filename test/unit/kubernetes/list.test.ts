import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UnusableResponse } from '../../../src/kubernetes/api-error.ts';
import { listPages } from '../../../src/kubernetes/list.ts';

/** An API that notes the paths of its requests. `tokens` returns the token of the next page; an empty token ends the list. */
function apiWith(tokens: (asked: number) => string) {
  const asked: string[] = [];
  const request = <T>({ path }: { path: string }): Promise<T> => {
    asked.push(path);
    const metadata = { resourceVersion: '7', continue: tokens(asked.length) };
    return Promise.resolve({ metadata, items: [asked.length] } as T);
  };
  return { asked, client: { request } };
}

async function itemsOf(pages: AsyncIterable<{ readonly items: readonly unknown[] }>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const { items } of pages) all.push(...items);
  return all;
}

describe('listPages()', () => {
  test('asks for page after page until the last one', async () => {
    const { asked, client } = apiWith((page) => (page < 3 ? `after ${page}` : ''));
    const query = { labelSelector: 'a=b' };
    assert.deepEqual(await itemsOf(listPages(client, '/api/v1/pods', { query, pageSize: 2 })), [1, 2, 3]);
    assert.deepEqual(asked, [
      '/api/v1/pods?labelSelector=a%3Db&limit=2',
      '/api/v1/pods?labelSelector=a%3Db&limit=2&continue=after+1',
      '/api/v1/pods?labelSelector=a%3Db&limit=2&continue=after+2',
    ]);
  });

  test('gives up a list that never ends', async () => {
    const { asked, client } = apiWith(() => 'more');
    await assert.rejects(
      itemsOf(listPages(client, '/api/v1/pods', { pageSize: 2, maxPages: 5 })),
      (error) => error instanceof UnusableResponse && /more than 5 pages/.test(error.message),
    );
    assert.equal(asked.length, 5);
  });
});
