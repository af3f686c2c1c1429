import type { ServerResponse } from 'node:http';
import { present, type RowContent, rowContentOf, table } from './presentation.ts';
import { ApiProblem } from './problem.ts';
import { apiVersionOf, type KubernetesObject, type Resource, storageKey } from './resources.ts';
import type { Matcher } from './selectors.ts';
import type { Change, Store } from './store.ts';

/** The options of a watch request. */
export interface WatchOptions {
  readonly resource: Resource;
  readonly matches: Matcher;
  /** When set, the watch sends rows and columns instead of objects, with this much of each object. */
  readonly asTable: RowContent | undefined;
  /** The watch sends the changes after this version. When `from` is empty or `0`, the watch starts with the existing objects. */
  readonly from: string;
  /** Interval of bookmarks; `undefined` when the client did not request them, or when it requested rows and columns. */
  readonly bookmarkMs: number | undefined;
  /** The watch starts with the existing objects. If it sends bookmarks, a bookmark marks the end of these objects. */
  readonly sendInitialEvents: boolean;
  readonly timeoutMs: number;
  /** Resolves at the end of the server's pause; `undefined` while the server is not paused. */
  readonly paused?: () => Promise<void> | undefined;
}

const defaultTimeoutMs = 1_800_000;

export function watchOptionsOf(
  url: URL,
  resource: Resource,
  matches: Matcher,
  asTable: boolean,
  bookmarkMs: number,
): WatchOptions {
  const { searchParams } = url;
  const from = searchParams.get('resourceVersion') ?? '';
  const sendInitialEvents = searchParams.get('sendInitialEvents') === 'true';
  const seconds = Number(searchParams.get('timeoutSeconds') ?? 0);
  return {
    resource,
    matches,
    asTable: asTable ? rowContentOf(url) : undefined,
    from: sendInitialEvents ? '' : from,
    bookmarkMs: searchParams.get('allowWatchBookmarks') === 'true' && !asTable ? bookmarkMs : undefined,
    sendInitialEvents,
    timeoutMs: seconds > 0 ? seconds * 1000 : defaultTimeoutMs,
  };
}

/** Streams changes as JSON lines until the client closes or the time is over. Sends ERROR with 410 when the store lacks a change since `from`. */
export function serveWatch(store: Store, response: ServerResponse, options: WatchOptions): void {
  const { resource, matches, asTable, from } = options;
  const kind = storageKey(resource);
  const write = (type: string, object: object) => response.write(`${JSON.stringify({ type, object })}\n`);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();

  const fresh = from === '' || from === '0';
  const history = fresh ? [] : store.since(kind, Number(from));
  if (!history) {
    write('ERROR', new ApiProblem(410, 'Expired', `too old resource version: ${from}`).toStatus());
    response.end();
    return;
  }

  let hasColumns = false;
  const event = (type: string, object: KubernetesObject) => {
    const presented = present(resource, object);
    if (!asTable) return write(type, presented);
    const whole = table(
      resource,
      [presented],
      { resourceVersion: object.metadata.resourceVersion ?? '' },
      asTable,
    );
    // Only the first event carries the columns.
    write(type, hasColumns ? { ...whole, columnDefinitions: null } : whole);
    hasColumns = true;
  };
  const send = (change: Change) => {
    const seen = seenBy(matches, change);
    if (seen) event(...seen);
  };
  const bookmark = (annotations?: Record<string, string>) =>
    write('BOOKMARK', {
      kind: resource.kind,
      apiVersion: apiVersionOf(resource),
      metadata: { resourceVersion: String(store.version), ...(annotations ? { annotations } : {}) },
    });

  if (fresh) for (const [, object] of store.list(kind)) if (matches(object)) event('ADDED', object);
  if (options.sendInitialEvents && options.bookmarkMs !== undefined)
    bookmark({ 'k8s.io/initial-events-end': 'true' });
  for (const change of history) send(change);
  const stopListening = store.listen(kind, send);
  const bookmarks = options.bookmarkMs === undefined ? undefined : setInterval(bookmark, options.bookmarkMs);
  const stop = () => {
    stopListening();
    clearInterval(bookmarks);
    clearTimeout(limit);
  };
  // When the client reads slowly, the response closes long after `end`. Nothing may be written between the two.
  const limit = setTimeout(async () => {
    stop();
    // `end` would send the events that a pause holds back.
    await options.paused?.();
    response.end();
  }, options.timeoutMs);
  response.on('close', stop);
}

/** A change as a watcher with a selector sees it. An object that starts to match appears as added, one that stops matching as deleted. */
function seenBy(
  matches: Matcher,
  { type, object, before }: Change,
): readonly [type: string, object: KubernetesObject] | undefined {
  const now = type !== 'DELETED' && matches(object);
  const then = before !== undefined && matches(before);
  if (now) return [then ? 'MODIFIED' : 'ADDED', object];
  if (!then) return undefined;
  const { resourceVersion = '' } = object.metadata;
  return ['DELETED', { ...before, metadata: { ...before.metadata, resourceVersion } }];
}
