/**
 * Follows one kind of object: lists it in pages, then watches from the list's resourceVersion. A watch that ends is resumed where
 * it stood; `410 Gone` lists again and reports only the differences. Levels, not edges: a handler is told the newest state of a
 * key, `undefined` when it is gone, and once when the first list is complete.
 */
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type Api, ApiError } from './client.ts';

export interface WatchHandler<T> {
  changed(key: string, object: T | undefined): void;
  /** The first list is complete; called once. */
  synced(): void;
  /** What is told from here on is of this resourceVersion. */
  reached?(resourceVersion: string): void;
}

export interface WatchOptions<T> {
  readonly client: Api;
  /** Collection, e.g. `/api/v1/services`, without a query. */
  readonly path: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
  /** An API object as plain data; `undefined` leaves the object out, as if it did not exist. */
  readonly decode: (object: RawObject) => T | undefined;
  readonly handler: WatchHandler<T>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly random?: () => number;
}

/** What every object of the API has. */
export interface RawObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
}

interface RawList {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly RawObject[];
}

interface RawEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: RawObject & {
    readonly code?: number;
    readonly reason?: string;
    readonly message?: string;
  };
}

const pageSize = 500;
const watchTimeoutSeconds = 300;
const backoff = { firstMs: 200, maxMs: 10_000 } as const;

/** Follows until the signal aborts; never rejects. Losing and regaining the API server is logged once each. */
export async function watch<T>(options: WatchOptions<T>): Promise<void> {
  const { client, path, handler, clock, logger, signal, random = Math.random } = options;
  /** The resourceVersion of each object told, so that another list tells only what is different. */
  const told = new Map<string, string | undefined>();
  let synced = false;
  let resourceVersion: string | undefined;
  let failures = 0;
  let refusal: string | undefined;

  const tell = (raw: RawObject, deleted: boolean) => {
    const key = keyOf(raw);
    const version = raw.metadata.resourceVersion;
    if (!deleted && version !== undefined && told.get(key) === version) return;
    const object = deleted ? undefined : options.decode(raw);
    if (object !== undefined) told.set(key, version);
    else if (!told.delete(key)) return;
    handler.changed(key, object);
  };

  const list = async () => {
    const seen = new Set<string>();
    let page: RawList | undefined;
    do {
      page = await client.request<RawList>({
        method: 'GET',
        path: `${path}?${query(options, { limit: String(pageSize), continue: page?.metadata.continue })}`,
        signal,
        timeoutMs: 60_000,
      });
      handler.reached?.(page.metadata.resourceVersion);
      for (const item of page.items) {
        seen.add(keyOf(item));
        tell(item, false);
      }
    } while (page.metadata.continue);
    for (const key of [...told.keys()]) {
      if (seen.has(key)) continue;
      told.delete(key);
      handler.changed(key, undefined);
    }
    resourceVersion = page.metadata.resourceVersion;
    if (!synced) handler.synced();
    synced = true;
  };

  const follow = () =>
    client.stream(
      `${path}?${query(options, {
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion,
        timeoutSeconds: String(watchTimeoutSeconds),
      })}`,
      (line) => {
        const { type, object } = line as RawEvent;
        if (type === 'ERROR')
          throw new ApiError(object.code ?? 0, object.reason ?? 'Unknown', object.message ?? 'watch error');
        failures = 0;
        resourceVersion = object.metadata.resourceVersion ?? resourceVersion;
        if (resourceVersion !== undefined) handler.reached?.(resourceVersion);
        if (type !== 'BOOKMARK') tell(object, type === 'DELETED');
      },
      signal,
    );

  const answered = () => {
    client.reachability.answered(logger);
    if (refusal !== undefined) logger.info({ resource: path }, 'API server grants it now');
    refusal = undefined;
  };

  const failed = (error: ApiError) => {
    const { status, message } = error;
    failures++;
    if (isExpired(error)) resourceVersion = undefined;
    else if (status > 0) {
      client.reachability.answered(logger);
      if (refusal !== message)
        logger.warn({ resource: path, reason: message }, 'API server refuses, retrying');
      refusal = message;
    } else if (failures > 1) {
      // The first failure is most often a watch cut off in passing.
      client.reachability.missed(logger, message);
    }
  };

  while (!signal.aborted) {
    try {
      if (resourceVersion === undefined) {
        await list();
        answered();
      }
      const started = clock.now();
      await follow();
      answered();
      failures = 0;
      // A server that ends watches at once must not be asked in a tight loop.
      if (clock.now() - started < 1000) await pause(clock, 500 + random() * 500, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError) failed(error);
      else {
        // A bug in what is told of a change; another list tells everything that was missed.
        failures++;
        for (const key of told.keys()) told.set(key, undefined);
        resourceVersion = undefined;
        logger.error({ resource: path, err: error }, 'change not processed');
      }
      // A resourceVersion too old is no fault: the list follows at once, unless that does not help either.
      if (isExpired(error) && failures === 1) continue;
      const delay = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(failures - 1, 10));
      await pause(clock, delay * (0.5 + random() / 2), signal);
    }
  }
}

function keyOf({ metadata: { namespace, name } }: RawObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function query(
  { fieldSelector, labelSelector }: { fieldSelector?: string; labelSelector?: string },
  more: Record<string, string | undefined>,
): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries({ fieldSelector, labelSelector, ...more }))
    if (value !== undefined) parameters.set(name, value);
  return parameters.toString();
}

/** The server no longer has the history that was asked for. */
function isExpired(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone')
  );
}

/** Resolves after the delay or when the signal aborts. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      timer.cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(delayMs, done);
    signal.addEventListener('abort', done);
  });
}
