import type { ServerResponse } from 'node:http';
import { present, table } from './presentation.ts';
import { ApiProblem } from './problem.ts';
import { apiVersionOf, type KubernetesObject, type Resource, storageKey } from './resources.ts';
import type { Matcher } from './selectors.ts';
import type { Change, Store } from './store.ts';

/** What a client asks of a watch. */
export interface WatchOptions {
  readonly resource: Resource;
  readonly matches: Matcher;
  /** Rows and columns instead of objects. */
  readonly asTable: boolean;
  /** The version to go on after; empty or `0` begins with what there is. */
  readonly from: string;
  /** How often a quiet watch is told where it stands; `undefined` when it did not ask. */
  readonly bookmarkMs: number | undefined;
  /** Begin with what there is, and mark its end by a bookmark. */
  readonly sendInitialEvents: boolean;
  readonly timeoutMs: number;
}

const defaultTimeoutMs = 1_800_000;

export function watchOptionsOf(
  { searchParams }: URL,
  resource: Resource,
  matches: Matcher,
  asTable: boolean,
  bookmarkMs: number,
): WatchOptions {
  const from = searchParams.get('resourceVersion') ?? '';
  const sendInitialEvents = searchParams.get('sendInitialEvents') === 'true';
  const seconds = Number(searchParams.get('timeoutSeconds') ?? 0);
  return {
    resource,
    matches,
    asTable,
    from: sendInitialEvents ? '' : from,
    bookmarkMs: searchParams.get('allowWatchBookmarks') === 'true' && !asTable ? bookmarkMs : undefined,
    sendInitialEvents,
    timeoutMs: seconds > 0 ? seconds * 1000 : defaultTimeoutMs,
  };
}

/** Streams changes as JSON lines until the client goes or the time is over. `ERROR` with 410 when history was forgotten since `from`. */
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

  let headed = false;
  const event = (type: string, object: KubernetesObject) => {
    const presented = present(resource, object);
    if (!asTable) return write(type, presented);
    const whole = table(resource, [presented], { resourceVersion: object.metadata.resourceVersion ?? '' });
    // Columns are told once; the rows that follow are of the same table.
    write(type, headed ? { ...whole, columnDefinitions: null } : whole);
    headed = true;
  };
  const tell = (change: Change) => {
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
  for (const change of history) tell(change);
  const ignore = store.listen(kind, tell);
  const reminding = options.bookmarkMs === undefined ? undefined : setInterval(bookmark, options.bookmarkMs);
  const limit = setTimeout(() => response.end(), options.timeoutMs);
  response.on('close', () => {
    ignore();
    clearInterval(reminding);
    clearTimeout(limit);
  });
}

/** A change as a watcher with a selector sees it: what comes into its view was added, what leaves it was deleted. */
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
