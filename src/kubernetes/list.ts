/** Lists a collection in pages. Long lists in one piece would hold up the API server and fill the memory of the client. */
import type { Api } from './api.ts';
import { UnusableResponse } from './api-error.ts';
import { type ListPage, readListPage } from './watch-event.ts';

export interface ListOptions {
  /** Parameters in addition to those of the pages, such as `labelSelector`. */
  readonly query?: Readonly<Record<string, string>>;
  /** Largest number of objects in a page. */
  readonly pageSize: number;
  readonly maxPages?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A server that never ends a list must not fill the memory of its client. */
const defaultMaxPages = 100_000;

/** Yields each page when it has arrived. Fails with {@link UnusableResponse} or `ApiError`. */
export async function* listPages(
  client: Pick<Api, 'request'>,
  collection: string,
  { query = {}, pageSize, maxPages = defaultMaxPages, ...request }: ListOptions,
): AsyncGenerator<ListPage> {
  let next = '';
  for (let pages = 0; pages < maxPages; pages++) {
    const parameters = new URLSearchParams({ ...query, limit: String(pageSize) });
    if (next !== '') parameters.set('continue', next);
    const path = `${collection}?${parameters}`;
    const page = readListPage(await client.request({ method: 'GET', path, ...request }));
    yield page;
    next = page.next;
    if (next === '') return;
  }
  throw new UnusableResponse(200, `the list has more than ${maxPages} pages`);
}
