import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Clock, Timer } from '../../../src/clock.ts';
import { type Api, ApiError, type ApiRequest } from '../../../src/kubernetes/client.ts';
import { LeaderElection } from '../../../src/kubernetes/leader-election.ts';
import { Reachability } from '../../../src/kubernetes/reachability.ts';
import { pause } from '../../../src/kubernetes/watch.ts';
import { MemoryApi } from '../../support/memory-api.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass, settle } from '../../support/virtual-run.ts';

const leasePath = '/apis/coordination.k8s.io/v1/namespaces/ns/leases/controller';
const dataPath = '/api/v1/namespaces/ns/configmaps/data';
const never = new AbortController().signal;

/** A process that can be stopped: time goes on without it, and its timers fire when it goes on. */
class StoppableClock implements Clock {
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

  stop(): void {
    this.#late ??= [];
  }

  goOn(): void {
    const late = this.#late ?? [];
    this.#late = undefined;
    for (const callback of late) callback();
  }
}

/** A network with delays and losses between one process and the server; a request given up may still arrive a little later. */
class SlowApi implements Api {
  readonly reachability = new Reachability();
  readonly #server: MemoryApi;
  readonly #clock: VirtualClock;
  readonly delayMs: (request: ApiRequest) => number;
  readonly lateMs = 1900;

  constructor(server: MemoryApi, clock: VirtualClock, delayMs: (request: ApiRequest) => number) {
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
      if (signal.aborted) throw new ApiError(0, 'AbortError', 'aborted');
      return answer;
    }
    if (delay <= limit + this.lateMs)
      void pause(this.#clock, delay, never).then(() => this.#server.request(request).catch(() => {}));
    await pause(this.#clock, limit, never);
    throw new ApiError(0, 'TimeoutError', 'no answer in time');
  }

  stream(): Promise<void> {
    throw new Error('not used here');
  }
}

/** A replica that writes as often as it may. */
function replica(name: string, api: Api, clock: Clock, writes: string[]) {
  const stop = new AbortController();
  const { logger, lines } = memoryLogger();
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

test('LeaderElection lets one lead, and the other at once when the first gives the Lease back', async () => {
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

test('LeaderElection takes over within 15 s from a leader that was killed or stopped, which then writes no more', async () => {
  const { clock, server, violations } = setUp();
  const writes: string[] = [];
  const frozen = new StoppableClock(clock);
  replica('first', server, frozen, writes);
  await pass(clock, 5000);
  const second = replica('second', server, clock, writes);
  await pass(clock, 5000);
  frozen.stop();
  const stoppedAt = clock.now();
  while (!writes.includes('second') && clock.now() - stoppedAt < 60_000) await pass(clock, 100, 100);
  const tookMs = clock.now() - stoppedAt;
  assert.ok(tookMs <= 15_000, `took over after ${tookMs} ms`);
  const before = writes.length;
  frozen.goOn();
  await pass(clock, 20_000);
  assert.deepEqual([...new Set(writes.slice(before))], ['second']);
  assert.deepEqual(violations, []);
  await second.stop();
});

test('LeaderElection stops leading when it cannot renew, and leads again when it can', async () => {
  const { clock, server } = setUp();
  const writes: string[] = [];
  let away = false;
  const api = new SlowApi(server, clock, () => (away ? 60_000 : 1));
  const { lines, stop } = replica('only', api, clock, writes);
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

test('LeaderElection keeps its term when a renewal went through unheard', async () => {
  const { clock, server, violations } = setUp();
  const writes: string[] = [];
  let unheard = 0;
  let next = 0;
  const api = new SlowApi(server, clock, ({ method }) => {
    if (method !== 'PUT' || clock.now() < next) return 1;
    next = clock.now() + 8000;
    unheard++;
    return 2000;
  });
  const { lines, stop } = replica('only', api, clock, writes);
  await pass(clock, 60_000);
  assert.ok(unheard >= 5);
  assert.deepEqual(
    lines.map(({ msg }) => msg).filter((msg) => msg === 'no longer leading'),
    [],
  );
  assert.deepEqual(violations, []);
  const stopped = stop();
  await pass(clock, 1000);
  await stopped;
});

test('LeaderElection never lets two write, whatever is delayed, lost or stopped', async () => {
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
        const own = new StoppableClock(clock);
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
          if (random() < 0.04) own.stop();
          else if (random() < 0.2) own.goOn();
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
