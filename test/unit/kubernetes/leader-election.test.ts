import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Clock, Timer } from '../../../src/clock.ts';
import type { Api, ApiRequest } from '../../../src/kubernetes/api.ts';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import { LeaderElection } from '../../../src/kubernetes/leader-election.ts';
import { Reachability } from '../../../src/kubernetes/reachability.ts';
import { pause } from '../../../src/kubernetes/retry.ts';
import { MemoryApi } from '../../support/memory-api.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass, settle } from '../../support/virtual-run.ts';

const leasePath = '/apis/coordination.k8s.io/v1/namespaces/ns/leases/controller';
const dataPath = '/api/v1/namespaces/ns/configmaps/data';
const never = new AbortController().signal;

/** The clock of a process that can be suspended. Time passes during the suspension, and due timers fire when the process resumes. */
class SuspendableClock implements Clock {
  readonly #clock: VirtualClock;
  #late: (() => void)[] | undefined;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  epochMs(): number {
    return this.#clock.epochMs();
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#clock.after(delayMs, () => {
      if (this.#late) this.#late.push(callback);
      else callback();
    });
  }

  suspend(): void {
    this.#late ??= [];
  }

  resume(): void {
    const late = this.#late ?? [];
    this.#late = undefined;
    for (const callback of late) callback();
  }
}

/** A network with delays and losses between one process and the server. A request that timed out may still arrive a little later. */
class SlowApi implements Api {
  readonly reachability: Reachability;
  readonly #server: MemoryApi;
  readonly #clock: VirtualClock;
  readonly delayMs: (request: ApiRequest) => number;
  readonly lateMs = 1900;

  constructor(
    server: MemoryApi,
    clock: VirtualClock,
    delayMs: (request: ApiRequest) => number,
    logger = memoryLogger().logger,
  ) {
    this.reachability = new Reachability({ clock, logger });
    this.#server = server;
    this.#clock = clock;
    this.delayMs = delayMs;
  }

  async request<T>(request: ApiRequest): Promise<T> {
    const delay = this.delayMs(request);
    const limit = request.timeoutMs ?? 15_000;
    const { signal = never } = request;
    if (delay <= limit) {
      await pause(this.#clock, delay, never);
      const answer = await this.#server.request<T>(request);
      this.reachability.answered();
      if (signal.aborted) throw new ApiError(0, 'AbortError', 'aborted');
      return answer;
    }
    if (delay <= limit + this.lateMs)
      void pause(this.#clock, delay, never).then(() => this.#server.request(request).catch(() => {}));
    await pause(this.#clock, limit, never);
    const timeout = new ApiError(0, 'TimeoutError', 'no answer in time');
    this.reachability.observeFailure(timeout, signal);
    throw timeout;
  }

  openStream(): Promise<never> {
    throw new Error('not used here');
  }
}

/** A replica that writes continually while it leads. */
function replica(name: string, api: Api, clock: Clock, writes: string[], { logger, lines } = memoryLogger()) {
  const stop = new AbortController();
  const election = new LeaderElection({
    client: api,
    namespace: 'ns',
    name: 'controller',
    identity: name,
    clock,
    logger,
    random: () => 0.5,
  });
  const done = election.run(async (fenced, until) => {
    while (!until.aborted) {
      await fenced
        .request({ method: 'PATCH', path: dataPath, body: { by: name } })
        .then(() => writes.push(name))
        .catch(() => {});
      await pause(clock, 300, until);
    }
  }, stop.signal);
  return {
    lines,
    election,
    stop: () => {
      stop.abort();
      return done;
    },
  };
}

function setUp() {
  const clock = new VirtualClock();
  const server = new MemoryApi();
  server.put(dataPath, { metadata: { name: 'data', namespace: 'ns' } });
  const violations: string[] = [];
  server.before = ({ method, path, body }) => {
    if (method !== 'PATCH' || path !== dataPath) return;
    const { by } = body as { by: string };
    const holder = (server.get(leasePath)?.spec as { holderIdentity?: string } | undefined)?.holderIdentity;
    if (holder !== by) violations.push(`${clock.now()}: ${by} wrote while ${holder} held the Lease`);
  };
  return { clock, server, violations };
}

test('LeaderElection lets one replica lead, and lets the other lead as soon as the first gives the Lease back', async () => {
  const { clock, server, violations } = setUp();
  const writes: string[] = [];
  const first = replica('first', server, clock, writes);
  await pass(clock, 1000);
  const second = replica('second', server, clock, writes);
  await pass(clock, 30_000);
  assert.ok(writes.length > 50);
  assert.deepEqual([...new Set(writes)], ['first']);
  assert.equal(second.election.leader, 'first');
  await first.stop();
  await pass(clock, 2500);
  assert.deepEqual([...new Set(writes)], ['first', 'second']);
  assert.deepEqual(violations, []);
  await second.stop();
});

test('LeaderElection gives the Lease back even when it is stopped before the answer to a renewal arrives', async () => {
  const { clock, server, violations } = setUp();
  const writes: string[] = [];
  const first = replica('first', server, clock, writes);
  await pass(clock, 1000);
  const second = replica('second', server, clock, writes);
  const renewing = Promise.withResolvers<void>();
  server.after = ({ method, body, signal }) => {
    const { spec } = (body ?? {}) as { spec?: { holderIdentity?: string } };
    if (method !== 'PUT' || spec?.holderIdentity !== 'first') return undefined;
    renewing.resolve();
    return new Promise((_, reject) =>
      signal?.addEventListener('abort', () => reject(new ApiError(0, 'ABORT_ERR', 'aborted'))),
    );
  };
  await pass(clock, 2500);
  await renewing.promise;
  await first.stop();
  await pass(clock, 2500);
  assert.ok(writes.includes('second'));
  assert.deepEqual(violations, []);
  await second.stop();
});

test('LeaderElection takes over within 15 s from a suspended leader, which writes nothing when it resumes', async () => {
  const { clock, server, violations } = setUp();
  const writes: string[] = [];
  const frozen = new SuspendableClock(clock);
  replica('first', server, frozen, writes);
  await pass(clock, 5000);
  const second = replica('second', server, clock, writes);
  await pass(clock, 5000);
  frozen.suspend();
  const stoppedAt = clock.now();
  while (!writes.includes('second') && clock.now() - stoppedAt < 60_000) await pass(clock, 100, 100);
  const tookMs = clock.now() - stoppedAt;
  assert.ok(tookMs <= 15_000, `took over after ${tookMs} ms`);
  const before = writes.length;
  frozen.resume();
  await pass(clock, 20_000);
  assert.deepEqual([...new Set(writes.slice(before))], ['second']);
  assert.deepEqual(violations, []);
  await second.stop();
});

test('LeaderElection ends the term when renewals fail, and leads again after the outage', async () => {
  const { clock, server } = setUp();
  const writes: string[] = [];
  let away = false;
  const log = memoryLogger();
  const api = new SlowApi(server, clock, () => (away ? 60_000 : 1), log.logger);
  const { lines, stop } = replica('only', api, clock, writes, log);
  await pass(clock, 5000);
  away = true;
  await pass(clock, 30_000);
  const during = writes.length;
  away = false;
  await pass(clock, 10_000);
  assert.ok(writes.length > during + 10);
  assert.deepEqual(
    lines.filter(({ level }) => level !== 'debug').map(({ msg }) => msg),
    [
      'leading',
      'API server not reached, retrying',
      'no longer leading',
      'API server reached again',
      'leading',
    ],
  );
  const stopped = stop();
  await pass(clock, 1000);
  await stopped;
});

for (const isLeading of [false, true])
  test(`LeaderElection ${isLeading ? 'as leader' : 'as candidate'} waits when the server asks for it, even if an outage ends meanwhile`, async () => {
    const { clock, server } = setUp();
    let isRefusing = !isLeading;
    const asked: number[] = [];
    server.before = ({ path }) => {
      if (path !== leasePath || !isRefusing) return;
      asked.push(clock.now());
      throw new ApiError(429, 'TooManyRequests', 'busy', { retryAfterMs: 4000 });
    };
    const { stop } = replica('only', server, clock, []);
    if (isLeading) {
      await pass(clock, 1000, 100);
      isRefusing = true;
    }
    while (asked.length === 0) await pass(clock, 100, 100);
    server.reachability.missed('no answer');
    await pass(clock, 1000, 100);
    server.reachability.answered();
    await pass(clock, isLeading ? 1000 : 2500, 100);
    assert.equal(asked.length, 1);
    isRefusing = false;
    await pass(clock, 10_000, 100);
    await stop();
  });

test('LeaderElection keeps its term when one renewal is refused and the server asks it to wait until after the deadline', async () => {
  const { clock, server } = setUp();
  let refusals = 0;
  server.before = ({ path, method }) => {
    if (path !== leasePath || method !== 'PUT' || refusals > 0) return;
    refusals++;
    throw new ApiError(429, 'TooManyRequests', 'busy', { retryAfterMs: 30_000 });
  };
  const { lines, stop } = replica('only', server, clock, []);
  await pass(clock, 20_000, 100);
  assert.equal(refusals, 1);
  assert.deepEqual(
    lines.map(({ msg }) => msg).filter((msg) => msg === 'no longer leading'),
    [],
  );
  await stop();
});

test('LeaderElection keeps its term when the answer to a successful renewal is lost', async () => {
  const { clock, server, violations } = setUp();
  const writes: string[] = [];
  let lostAnswers = 0;
  let next = 0;
  const api = new SlowApi(server, clock, ({ method }) => {
    if (method !== 'PUT' || clock.now() < next) return 1;
    next = clock.now() + 8000;
    lostAnswers++;
    return 2000;
  });
  const { lines, stop } = replica('only', api, clock, writes);
  await pass(clock, 60_000);
  assert.ok(lostAnswers >= 5);
  assert.deepEqual(
    lines.map(({ msg }) => msg).filter((msg) => msg === 'no longer leading'),
    [],
  );
  assert.deepEqual(violations, []);
  const stopped = stop();
  // Giving the Lease back may take as long as the time limit of a request.
  await pass(clock, 3000);
  await stopped;
});

test('LeaderElection keeps the leader when only the Lease is deleted, and lets another replica lead when the leader is suspended too', async () => {
  const { clock, server } = setUp();
  const violations: string[] = [];
  server.before = ({ method, body }) => {
    if (method !== 'PATCH') return;
    const { by } = body as { by: string };
    const holder = (server.get(leasePath)?.spec as { holderIdentity?: string } | undefined)?.holderIdentity;
    if (holder !== undefined && holder !== by) violations.push(`${by} wrote while ${holder} held the Lease`);
  };
  const writes: string[] = [];
  const frozen = new SuspendableClock(clock);
  replica('first', server, frozen, writes);
  await pass(clock, 1000);
  const second = replica('second', server, clock, writes);
  for (let deletions = 0; deletions < 20; deletions++) {
    await pass(clock, 3250);
    server.remove(leasePath);
  }
  await pass(clock, 3000);
  assert.deepEqual([...new Set(writes)], ['first']);
  assert.deepEqual(violations, []);
  frozen.suspend();
  server.remove(leasePath);
  await pass(clock, 15_000);
  assert.equal(writes.at(-1), 'second');
  await second.stop();
});

test('LeaderElection lets only the holder of the Lease write, whatever is delayed, lost or suspended', async () => {
  let changes = 0;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 - 1 }), async (seed) => {
      let state = seed;
      const random = () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
      };
      const { clock, server, violations } = setUp();
      const writes: string[] = [];
      const clocks = ['a', 'b', 'c'].map((name) => {
        const own = new SuspendableClock(clock);
        let trouble = 0;
        const api = new SlowApi(server, clock, () => {
          if (trouble-- <= 0 && random() < 0.05) trouble = Math.floor(random() * 20);
          return trouble > 0 ? random() * 20_000 : random() * 50;
        });
        replica(name, api, own, writes);
        return own;
      });
      for (let step = 0; step < 100; step++) {
        for (const own of clocks) {
          if (random() < 0.04) own.suspend();
          else if (random() < 0.2) own.resume();
        }
        await pass(clock, 1000, 100);
      }
      assert.deepEqual(violations, []);
      assert.ok(writes.length > 0);
      changes += writes.filter((name, i) => i > 0 && writes[i - 1] !== name).length;
    }),
    { numRuns: 12 },
  );
  await settle();
  assert.ok(changes > 10, `leadership changed ${changes} times`);
});
