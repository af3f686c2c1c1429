import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Api, ApiError, type ApiRequest } from '../../../src/kubernetes/client.ts';
import { Reachability } from '../../../src/kubernetes/reachability.ts';
import { type RawObject, watch } from '../../../src/kubernetes/watch.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass, settle } from '../../support/virtual-run.ts';

/** A server that answers each list and each watch as the test says next. */
class ScriptedApi implements Api {
  readonly reachability = new Reachability();
  readonly asked: string[] = [];
  readonly lists: (() => unknown)[] = [];
  readonly watches: ((tell: (event: unknown) => void) => Promise<void>)[] = [];

  async request<T>({ path }: ApiRequest): Promise<T> {
    this.asked.push(path);
    const next = this.lists.shift();
    if (!next) throw new ApiError(0, 'ECONNREFUSED', 'connection refused');
    return next() as T;
  }

  stream(path: string, onLine: (event: unknown) => void, signal: AbortSignal): Promise<void> {
    this.asked.push(path);
    const next = this.watches.shift();
    if (next) return next(onLine);
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
  }
}

function object(name: string, resourceVersion: string): RawObject {
  return { metadata: { namespace: 'a', name, resourceVersion } };
}

function list(resourceVersion: string, items: RawObject[], next?: string) {
  return () => ({ metadata: { resourceVersion, ...(next ? { continue: next } : {}) }, items });
}

function follow(api: Api, told: string[], decode = (raw: RawObject): RawObject | undefined => raw) {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const { logger, lines } = memoryLogger();
  const done = watch({
    client: api,
    path: '/api/v1/things',
    decode,
    handler: {
      changed: (key, value) => told.push(value ? `${key}=${value.metadata.resourceVersion}` : `-${key}`),
      synced: () => told.push('synced'),
    },
    clock,
    logger,
    signal: stop.signal,
    random: () => 1,
  });
  return {
    clock,
    lines,
    stop: () => {
      stop.abort();
      return done;
    },
  };
}

test('watch() lists in pages, says synced once, then follows from the version of the list', async () => {
  const api = new ScriptedApi();
  api.lists.push(list('7', [object('x', '3')], 'more'), list('7', [object('y', '5')]));
  api.watches.push(async (tell) => {
    tell({ type: 'ADDED', object: object('z', '8') });
    tell({ type: 'MODIFIED', object: object('x', '9') });
    tell({ type: 'DELETED', object: object('y', '10') });
  });
  const told: string[] = [];
  const { stop } = follow(api, told);
  await settle();
  assert.deepEqual(told, ['a/x=3', 'a/y=5', 'synced', 'a/z=8', 'a/x=9', '-a/y']);
  assert.match(api.asked[1] ?? '', /continue=more/);
  assert.match(api.asked[2] ?? '', /watch=true&allowWatchBookmarks=true&resourceVersion=7&/);
  await stop();
});

test('watch() resumes a watch that was cut off where it stood, by a bookmark if there was one', async () => {
  const api = new ScriptedApi();
  api.lists.push(list('7', []));
  api.watches.push(async (tell) => {
    tell({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '42' } } });
    throw new ApiError(0, 'ECONNRESET', 'cut off');
  });
  const told: string[] = [];
  const { clock, stop, lines } = follow(api, told);
  await settle();
  await pass(clock, 1000);
  assert.match(api.asked[2] ?? '', /resourceVersion=42/);
  assert.deepEqual(lines, [], 'one cut is not worth a word');
  await stop();
});

for (const [what, gone] of Object.entries({
  'as the answer': async () => {
    throw new ApiError(410, 'Gone', 'too old');
  },
  'as an event': async (tell: (event: unknown) => void) =>
    tell({ type: 'ERROR', object: { metadata: {}, code: 410, reason: 'Expired', message: 'too old' } }),
}))
  test(`watch() lists again when told 410 Gone ${what}, and tells only the differences`, async () => {
    const api = new ScriptedApi();
    api.lists.push(list('7', [object('same', '1'), object('gone', '2'), object('changed', '3')]));
    api.lists.push(list('20', [object('same', '1'), object('changed', '15'), object('new', '16')]));
    api.watches.push(gone);
    const told: string[] = [];
    const { stop } = follow(api, told);
    await settle();
    assert.deepEqual(told.slice(told.indexOf('synced') + 1), ['a/changed=15', 'a/new=16', '-a/gone']);
    assert.match(api.asked.at(-1) ?? '', /resourceVersion=20/);
    await stop();
  });

test('watch() does not ask in a tight loop when every list is told 410 Gone', async () => {
  const api = new ScriptedApi();
  const gone = () => {
    throw new ApiError(410, 'Expired', 'too old');
  };
  for (let i = 0; i < 1000; i++) api.lists.push(gone);
  const { clock, stop } = follow(api, []);
  await pass(clock, 10_000, 100);
  assert.ok(api.asked.length < 12, `asked ${api.asked.length} times`);
  await stop();
});

test('watch() retries with growing delays while the server is away, and says lost and back once', async () => {
  const api = new ScriptedApi();
  const told: string[] = [];
  const { clock, lines, stop } = follow(api, told);
  await pass(clock, 60_000, 100);
  assert.ok(api.asked.length < 16, `asked ${api.asked.length} times in a minute`);
  api.lists.push(list('7', [object('x', '3')]));
  await pass(clock, 11_000, 100);
  assert.deepEqual(told, ['a/x=3', 'synced']);
  assert.deepEqual(
    lines.map(({ level, msg }) => `${level}: ${msg}`),
    ['warn: API server not reached, retrying', 'info: API server reached again'],
  );
  await stop();
});

test('watch() says a refusal once, and when it is granted', async () => {
  const api = new ScriptedApi();
  const forbidden = () => {
    throw new ApiError(403, 'Forbidden', 'GET /api/v1/things: not for you');
  };
  api.lists.push(forbidden, forbidden, forbidden, list('7', []));
  const { clock, lines, stop } = follow(api, []);
  await pass(clock, 10_000, 100);
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ['API server refuses, retrying', 'API server grants it now'],
  );
  await stop();
});

test('watch() leaves out what the decoder leaves out, and says so when it had been told', async () => {
  const api = new ScriptedApi();
  api.lists.push(list('7', [object('x', '3'), object('never', '4')]));
  api.watches.push(async (tell) => tell({ type: 'MODIFIED', object: object('x', '8') }));
  const told: string[] = [];
  const { stop } = follow(api, told, (raw) => (raw.metadata.resourceVersion === '3' ? raw : undefined));
  await settle();
  assert.deepEqual(told, ['a/x=3', 'synced', '-a/x']);
  await stop();
});

test('watch() survives a bug in its consumer: it is logged, and everything is told again', async () => {
  const api = new ScriptedApi();
  api.lists.push(list('7', [object('x', '3')]), list('9', [object('x', '8')]));
  api.watches.push(async (tell) => tell({ type: 'MODIFIED', object: object('x', '8') }));
  const told: string[] = [];
  let broken = true;
  const { clock, lines, stop } = follow(api, told, (raw) => {
    if (raw.metadata.resourceVersion === '8' && broken) {
      broken = false;
      throw new TypeError('a bug');
    }
    return raw;
  });
  await pass(clock, 2000);
  assert.deepEqual(told, ['a/x=3', 'synced', 'a/x=8']);
  assert.deepEqual(
    lines.map(({ level, msg }) => `${level}: ${msg}`),
    ['error: change not processed'],
  );
  await stop();
});
