import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Api, ApiRequest, RawObject } from '../../../src/kubernetes/api.ts';
import { ApiError, UnusableResponse } from '../../../src/kubernetes/api-error.ts';
import { decodeService } from '../../../src/kubernetes/decode.ts';
import { Reachability } from '../../../src/kubernetes/reachability.ts';
import { watch } from '../../../src/kubernetes/watch.ts';
import { Guard } from '../../../src/telemetry/guard.ts';
import { Turns } from '../../../src/turns.ts';
import { LineStream } from '../../support/line-stream.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { SlicingClock } from '../../support/slicing-clock.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass, settle } from '../../support/virtual-run.ts';

/**
 * A server that answers each list and each watch with the next entry of a script. A list for which the script has no entry
 * fails with ECONNREFUSED. A watch for which the script has no entry stays open and sends nothing.
 */
class ScriptedApi implements Api {
  readonly clock = new VirtualClock();
  readonly log = memoryLogger();
  readonly reachability = new Reachability({ clock: this.clock, logger: this.log.logger });
  readonly requested: string[] = [];
  readonly lists: (() => unknown)[] = [];
  /** Each function sends the lines of one watch. The watch stays open unless the function ends it. */
  readonly watches: ((lines: LineStream) => void)[] = [];
  readonly open: LineStream[] = [];
  isAway = false;

  async request<T>({ path }: ApiRequest): Promise<T> {
    return this.#observe(path, () => {
      const next = this.lists.shift();
      if (!next) throw new ApiError(0, 'ECONNREFUSED', 'connection refused');
      return next() as T;
    });
  }

  async openStream(path: string, signal: AbortSignal): Promise<AsyncIterable<string>> {
    return this.#observe(path, () => {
      const lines = new LineStream(signal);
      this.watches.shift()?.(lines);
      this.open.push(lines);
      return lines;
    });
  }

  /** Breaks the open watches and refuses connections. */
  goAway(): void {
    this.isAway = true;
    const broken = new ApiError(0, 'ECONNRESET', 'cut off');
    for (const lines of this.open.splice(0)) lines.end(broken);
    this.reachability.observeFailure(broken);
  }

  #observe<T>(path: string, exchange: () => T): T {
    this.requested.push(path);
    try {
      if (this.isAway) throw new ApiError(0, 'ECONNREFUSED', 'connection refused');
      const result = exchange();
      this.reachability.answered();
      return result;
    } catch (error) {
      this.reachability.observeFailure(error);
      throw error;
    }
  }
}

function object(name: string, resourceVersion: string): RawObject {
  return { metadata: { namespace: 'a', name, resourceVersion } };
}

function list(resourceVersion: string, items: readonly unknown[], next?: string) {
  return () => ({ metadata: { resourceVersion, ...(next ? { continue: next } : {}) }, items });
}

interface FollowOptions {
  readonly decode?: (raw: RawObject) => RawObject | undefined;
  readonly changed?: (key: string) => void;
  readonly pageSize?: number;
  readonly turns?: Turns;
}

function follow(
  api: ScriptedApi,
  seen: string[],
  { decode = (raw) => raw, changed, ...more }: FollowOptions = {},
) {
  const stop = new AbortController();
  const drops: string[] = [];
  const { logger, lines } = api.log;
  const done = watch({
    client: api,
    path: '/api/v1/things',
    decode,
    handler: {
      changed: (key, value) => {
        changed?.(key);
        seen.push(value ? `${key}=${value.metadata.resourceVersion}` : `-${key}`);
      },
      synced: () => seen.push('synced'),
    },
    guard: new Guard({ logger, count: (entrance, kind) => drops.push(`${entrance} ${kind}`) }),
    clock: api.clock,
    logger,
    signal: stop.signal,
    random: () => 1,
    ...more,
  });
  return {
    clock: api.clock,
    lines,
    drops,
    stop: () => {
      stop.abort();
      return done;
    },
  };
}

test('watch() lists in pages, reports synced once, then follows from the version of the list', async () => {
  const api = new ScriptedApi();
  api.lists.push(list('7', [object('x', '3')], 'more'), list('7', [object('y', '5')]));
  api.watches.push((lines) => {
    lines.send({ type: 'ADDED', object: object('z', '8') });
    lines.send({ type: 'MODIFIED', object: object('x', '9') });
    lines.send({ type: 'DELETED', object: object('y', '10') });
  });
  const seen: string[] = [];
  const { stop } = follow(api, seen);
  await settle();
  assert.deepEqual(seen, ['a/x=3', 'a/y=5', 'synced', 'a/z=8', 'a/x=9', '-a/y']);
  assert.match(api.requested[1] ?? '', /continue=more/);
  assert.match(api.requested[2] ?? '', /watch=true&allowWatchBookmarks=true&resourceVersion=7&/);
  await stop();
});

test('watch() resumes a broken watch from the last bookmark, without a log line', async () => {
  const api = new ScriptedApi();
  api.lists.push(list('7', []));
  api.watches.push((lines) => {
    lines.send({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '42' } } });
    lines.end(new ApiError(0, 'ECONNRESET', 'cut off'));
  });
  const { clock, stop, lines } = follow(api, []);
  await settle();
  await pass(clock, 1000);
  assert.match(api.requested[2] ?? '', /resourceVersion=42/);
  assert.deepEqual(lines, []);
  await stop();
});

const expiries: Readonly<Record<string, (lines: LineStream) => void>> = {
  'as a response': () => {
    throw new ApiError(410, 'Gone', 'too old');
  },
  'as an event': (lines) =>
    lines.send({ type: 'ERROR', object: { metadata: {}, code: 410, reason: 'Expired', message: 'too old' } }),
};
for (const [how, expire] of Object.entries(expiries))
  test(`watch() lists again after 410 Gone ${how} and reports only the differences`, async () => {
    const api = new ScriptedApi();
    api.lists.push(list('7', [object('same', '1'), object('gone', '2'), object('changed', '3')]));
    api.lists.push(list('20', [object('same', '1'), object('changed', '15'), object('new', '16')]));
    api.watches.push(expire);
    const seen: string[] = [];
    const { clock, stop } = follow(api, seen);
    await pass(clock, 600);
    assert.deepEqual(seen.slice(seen.indexOf('synced') + 1), ['a/changed=15', 'a/new=16', '-a/gone']);
    assert.match(api.requested.at(-1) ?? '', /resourceVersion=20/);
    await stop();
  });

test('watch() tells versions apart that differ only in digits beyond the precision of a number, or in zeros in front', async () => {
  const versions = ['9007199254740992', '9007199254740993', '10', '010', '10.0', '1e1', '', '0'];
  const api = new ScriptedApi();
  api.lists.push(list('7', [object('x', '3')]));
  api.watches.push((lines) => {
    for (const version of versions)
      for (const each of [version, version]) lines.send({ type: 'MODIFIED', object: object('x', each) });
  });
  const seen: string[] = [];
  const { stop } = follow(api, seen);
  await settle();
  assert.deepEqual(
    seen.slice(2),
    versions.map((version) => `a/x=${version}`),
  );
  await stop();
});

test('watch() backs off when every list answers 410 Gone', async () => {
  const api = new ScriptedApi();
  const gone = () => {
    throw new ApiError(410, 'Expired', 'too old');
  };
  for (let i = 0; i < 1000; i++) api.lists.push(gone);
  const { clock, stop } = follow(api, []);
  await pass(clock, 10_000, 100);
  assert.ok(api.requested.length < 12, `${api.requested.length} requests`);
  await stop();
});

test('watch() backs off during an outage and logs its start and end once', async () => {
  const api = new ScriptedApi();
  const seen: string[] = [];
  const { clock, lines, stop } = follow(api, seen);
  await pass(clock, 60_000, 100);
  assert.ok(api.requested.length < 16, `${api.requested.length} requests in a minute`);
  api.lists.push(list('7', [object('x', '3')]));
  await pass(clock, 11_000, 100);
  assert.deepEqual(seen, ['a/x=3', 'synced']);
  assert.deepEqual(
    lines.map(({ level, msg }) => `${level}: ${msg}`),
    ['warn: API server not reached, retrying', 'info: API server reached again'],
  );
  await stop();
});

test('watch() treats the API server as reachable as soon as a resumed watch opens, before any event', async () => {
  const api = new ScriptedApi();
  api.lists.push(list('7', []));
  const { clock, lines, stop } = follow(api, []);
  await settle();
  api.goAway();
  await pass(clock, 8000, 100);
  api.isAway = false;
  await pass(clock, 10_000, 100);
  assert.equal(api.reachability.isAnswering, true);
  assert.equal(lines.at(-1)?.msg, 'API server reached again');
  assert.match(api.requested.at(-1) ?? '', /watch=true/);
  await stop();
});

test('watch() retries at once when another request gets an answer', async () => {
  const api = new ScriptedApi();
  const seen: string[] = [];
  const { clock, stop } = follow(api, seen);
  await pass(clock, 60_000, 100);
  api.lists.push(list('7', [object('x', '3')]));
  api.reachability.answered();
  await settle();
  assert.deepEqual(seen, ['a/x=3', 'synced']);
  await stop();
});

function forbidden(): never {
  throw new ApiError(403, 'Forbidden', 'GET /api/v1/things: no permission');
}

test('watch() does not log a refusal of a few seconds', async () => {
  const api = new ScriptedApi();
  api.lists.push(forbidden, forbidden, forbidden, forbidden, list('7', []));
  const { clock, lines, stop } = follow(api, []);
  await pass(clock, 10_000, 100);
  assert.ok(api.requested.length > 4);
  assert.deepEqual(lines, []);
  await stop();
});

test('watch() logs a refusal once, after ten seconds, and logs its end', async () => {
  const api = new ScriptedApi();
  for (let i = 0; i < 9; i++) api.lists.push(forbidden);
  api.lists.push(list('7', []));
  const { clock, lines, stop } = follow(api, []);
  await pass(clock, 60_000, 100);
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ['API server rejects requests, retrying', 'API server accepts requests again'],
  );
  await stop();
});

test('watch() ignores an object that the decoder filters out, and reports it as gone if the handler knows it', async () => {
  const api = new ScriptedApi();
  api.lists.push(list('7', [object('x', '3'), object('never', '4')]));
  api.watches.push((lines) => lines.send({ type: 'MODIFIED', object: object('x', '8') }));
  const seen: string[] = [];
  const { stop } = follow(api, seen, {
    decode: (raw) => (raw.metadata.resourceVersion === '3' ? raw : undefined),
  });
  await settle();
  assert.deepEqual(seen, ['a/x=3', 'synced', '-a/x']);
  await stop();
});

test('watch() retries an object after the handler threw, without another request', async () => {
  const api = new ScriptedApi();
  api.lists.push(list('7', [object('x', '3'), object('y', '3')]));
  api.watches.push((lines) => {
    lines.send({ type: 'MODIFIED', object: object('x', '8') });
    lines.send({ type: 'MODIFIED', object: object('y', '9') });
  });
  const seen: string[] = [];
  let throwsLeft = 2;
  const { clock, lines, drops, stop } = follow(api, seen, {
    changed: (key) => {
      if (key === 'a/x' && seen.includes('synced') && throwsLeft-- > 0) throw new TypeError('a bug');
    },
  });
  await pass(clock, 500);
  assert.deepEqual(seen, ['a/x=3', 'a/y=3', 'synced', 'a/y=9'], 'other objects are not delayed');
  await pass(clock, 5000);
  assert.deepEqual(seen.slice(4), ['a/x=8']);
  assert.equal(api.requested.length, 2);
  assert.deepEqual(drops, ['watch TypeError', 'watch TypeError'], 'each failure is counted');
  assert.deepEqual(
    lines.map(({ level, msg }) => `${level}: ${msg}`),
    ['error: bug: input dropped'],
    'only the first failure is logged',
  );
  await stop();
});

test('watch() retries a failed object with its newest state only, even if that is a deletion', async () => {
  const api = new ScriptedApi();
  api.lists.push(list('7', [object('x', '3')]));
  const seen: string[] = [];
  let throws = false;
  const { clock, stop } = follow(api, seen, {
    changed: () => {
      if (throws) throw new TypeError('a bug');
    },
  });
  await settle();
  throws = true;
  api.open[0]?.send({ type: 'MODIFIED', object: object('x', '8') });
  api.open[0]?.send({ type: 'DELETED', object: object('x', '9') });
  await settle();
  throws = false;
  await pass(clock, 5000);
  assert.deepEqual(seen, ['a/x=3', 'synced', '-a/x']);
  await stop();
});

test('watch() delivers the other items of a list when one item does not decode', async () => {
  const api = new ScriptedApi();
  const hostile = [null, 5, 'x', [], {}, { metadata: null }, { metadata: { name: 5 } }];
  api.lists.push(list('7', [...hostile, object('x', '3'), { metadata: { name: 'y', namespace: {} } }]));
  const seen: string[] = [];
  const { drops, stop } = follow(api, seen);
  await settle();
  assert.deepEqual(seen, ['a/x=3', 'synced']);
  assert.equal(drops.length, hostile.length + 1);
  await stop();
});

const badLines: Readonly<Record<string, string>> = {
  'truncated JSON': '{"type":"MODIFIED","object":{"metadata":{"na',
  'a bare number': '5',
  null: 'null',
  'an unknown type': '{"type":"EXPLODED","object":{"metadata":{"name":"x"}}}',
  'no object': '{"type":"MODIFIED"}',
  'a name of the wrong type': '{"type":"ADDED","object":{"metadata":{"name":{"a":1}}}}',
  'a bookmark without a version': '{"type":"BOOKMARK","object":{"metadata":{}}}',
  'deep nesting': `{"type":"MODIFIED","object":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
  'a huge type': JSON.stringify({ type: 'x'.repeat(2 ** 20), object: {} }),
  'an error of the wrong shape': '{"type":"ERROR","object":{"code":"x","message":5}}',
};
for (const [what, line] of Object.entries(badLines))
  test(`watch() lists again after a line that is not an event: ${what}`, async () => {
    const api = new ScriptedApi();
    api.lists.push(list('7', [object('x', '3')]), list('20', [object('x', '19')]));
    api.watches.push((lines) => lines.sendLine(line));
    const seen: string[] = [];
    const { clock, drops, lines, stop } = follow(api, seen);
    await pass(clock, 5000);
    assert.deepEqual(seen, ['a/x=3', 'synced', 'a/x=19']);
    assert.equal(drops.length, 1);
    assert.ok(JSON.stringify(lines).length < 5000, 'the log line is bounded');
    await stop();
  });

for (const [what, body] of Object.entries({
  'metadata without a version': { metadata: {}, items: [] },
  'items that are not a list': { metadata: { resourceVersion: '1' }, items: { length: 3 } },
  null: null,
  'a string': 'hello',
}))
  test(`watch() tries again after a body that is not a list: ${what}`, async () => {
    const api = new ScriptedApi();
    api.lists.push(() => body, list('7', [object('x', '3')]));
    const seen: string[] = [];
    const { clock, drops, stop } = follow(api, seen);
    await pass(clock, 2000);
    assert.deepEqual(seen, ['a/x=3', 'synced']);
    assert.deepEqual(drops, ['watch ERR_UNUSABLE_RESPONSE']);
    await stop();
  });

test('watch() asks for pages of the given size', async () => {
  const api = new ScriptedApi();
  api.lists.push(list('7', []));
  const { stop } = follow(api, [], { pageSize: 100 });
  await settle();
  assert.match(api.requested[0] ?? '', /limit=100\b/);
  await stop();
});

test('watch() handles many changes in several turns, in order', async () => {
  const api = new ScriptedApi();
  const names = Array.from({ length: 40 }, (_, i) => `n${i}`);
  api.lists.push(
    list(
      '7',
      names.map((name) => object(name, '3')),
    ),
  );
  api.watches.push((lines) => {
    for (const name of names) lines.send({ type: 'MODIFIED', object: object(name, '8') });
  });
  const seen: string[] = [];
  const clock = new SlicingClock();
  const { stop } = follow(api, seen, { turns: new Turns(clock) });
  await settle();
  const atOnce = seen.length;
  assert.ok(atOnce > 0 && atOnce < 20, String(atOnce));
  for (let turns = 0; turns < 100 && seen.length < 81; turns++) {
    clock.run(1);
    await settle();
  }
  const expected = [...names.map((name) => `a/${name}=3`), 'synced', ...names.map((name) => `a/${name}=8`)];
  assert.deepEqual(seen, expected);
  await stop();
});

test('watch() asks for smaller pages when a page is too large', async () => {
  const api = new ScriptedApi();
  const tooLarge = () => {
    throw new UnusableResponse(200, 'too large', true);
  };
  api.lists.push(tooLarge, tooLarge, list('7', []));
  const { clock, stop } = follow(api, []);
  await pass(clock, 3000);
  assert.deepEqual(
    api.requested.slice(0, 3).map((path) => /limit=(\d+)/.exec(path)?.[1]),
    ['500', '250', '125'],
  );
  await stop();
});

test('watch() survives arbitrary events and ends up in step with the server', async () => {
  const anything = fc.anything({ withNullPrototype: false, maxDepth: 4 });
  const service = fc.record(
    { type: anything, ports: anything, ipFamilies: anything, selector: anything },
    { requiredKeys: [] },
  );
  const event = fc.oneof(
    fc.record({ type: fc.constantFrom('ADDED', 'MODIFIED', 'DELETED'), object: anything }),
    fc
      .record({ spec: service, name: fc.constantFrom('x', 'y'), labels: anything, status: anything })
      .map(({ spec, name, labels, status }) => ({
        type: 'MODIFIED',
        object: { metadata: { namespace: 'a', name, labels }, spec, status },
      })),
    anything,
  );
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 20, size: 'max' }), async (events) => {
      const api = new ScriptedApi();
      api.lists.push(list('7', []));
      for (let i = 0; i < 40; i++)
        api.lists.push(list(String(100 + i), [{ ...object('z', '99'), spec: { type: 'LoadBalancer' } }]));
      const held = new Map<string, string>();
      const { logger } = api.log;
      const stop = new AbortController();
      const done = watch({
        client: api,
        path: '/api/v1/services',
        decode: decodeService,
        handler: {
          changed: (key, decoded) => {
            if (decoded) held.set(key, decoded.type);
            else held.delete(key);
          },
          synced: () => {},
        },
        clock: api.clock,
        logger,
        signal: stop.signal,
        random: () => 1,
      });
      await settle();
      for (const each of events) {
        const lines = api.open.at(-1);
        const text = JSON.stringify(each, (_, value) => (typeof value === 'bigint' ? String(value) : value));
        if (text !== undefined) lines?.sendLine(text);
        await pass(api.clock, 500, 500);
      }
      await pass(api.clock, 30_000, 5000);
      api.open.at(-1)?.send({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
      await pass(api.clock, 30_000, 5000);
      assert.deepEqual([...held], [['a/z', 'LoadBalancer']]);
      stop.abort();
      await done;
    }),
    { numRuns: 60 },
  );
});
