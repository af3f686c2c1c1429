import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../src/kubernetes/api-error.ts';
import { EventRecorder } from '../../../src/kubernetes/event-recorder.ts';
import type { EventRecord } from '../../../src/kubernetes/events.ts';
import { MemoryApi } from '../../support/memory-api.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass, settle } from '../../support/virtual-run.ts';

interface Series {
  readonly count: number;
}

function setUp() {
  const clock = new VirtualClock();
  const { logger, lines } = memoryLogger();
  const api = new MemoryApi(clock, logger);
  const recorder = new EventRecorder({ client: api, component: 'me', host: 'h', logger, clock });
  const written = () =>
    api
      .under('/apis/events.k8s.io/v1/namespaces/a/events')
      .map(({ reason, note, series }) => `${reason} ${note} ×${(series as Series | undefined)?.count ?? 1}`);
  return { api, clock, lines, recorder, written };
}

function event(message: string, more: Partial<EventRecord> = {}): EventRecord {
  const regarding = { kind: 'Service' as const, namespace: 'a', name: 'web', uid: 'u' };
  return { regarding, type: 'Normal', reason: 'IPAllocated', message, ...more };
}

test('EventRecorder writes the events of an object in order', async () => {
  const { recorder, written } = setUp();
  for (const word of ['one', 'two', 'three']) recorder.record(event(word));
  await settle();
  assert.deepEqual(written(), ['IPAllocated one ×1', 'IPAllocated two ×1', 'IPAllocated three ×1']);
});

test('EventRecorder lengthens the series of a repeated event, unless the event asks to be recorded only if it is new', async () => {
  const { recorder, written } = setUp();
  recorder.record(event('one'));
  await settle();
  recorder.record(event('one'));
  recorder.record(event('one', { onlyIfNew: true }));
  await settle();
  assert.deepEqual(written(), ['IPAllocated one ×2']);
});

test('EventRecorder keeps events during an outage and sends them as soon as the server is back', async () => {
  const { api, clock, recorder, written, lines } = setUp();
  let isAway = true;
  api.before = () => {
    if (isAway) throw new ApiError(0, 'ECONNREFUSED', 'away');
  };
  recorder.record(event('one'));
  recorder.record(event('two'));
  await pass(clock, 60_000, 500);
  assert.deepEqual(written(), []);
  isAway = false;
  api.reachability.answered();
  await settle();
  assert.deepEqual(written(), ['IPAllocated one ×1', 'IPAllocated two ×1']);
  assert.deepEqual(
    lines.filter(({ level }) => level !== 'debug').map(({ msg }) => msg),
    ['API server not reached, retrying', 'API server reached again'],
  );
});

test('EventRecorder retries a refused event for ten seconds, then drops it with a log line and sends the next', async () => {
  const { api, clock, recorder, written, lines } = setUp();
  api.before = ({ body }) => {
    if ((body as { note: string }).note === 'one') throw new ApiError(403, 'Forbidden', 'no permission');
  };
  recorder.record(event('one'));
  recorder.record(event('two'));
  await pass(clock, 6000);
  assert.deepEqual(written(), []);
  await pass(clock, 14_000);
  assert.deepEqual(written(), ['IPAllocated two ×1']);
  assert.deepEqual(
    lines.filter(({ level }) => level !== 'debug').map(({ msg }) => msg),
    ['event not written'],
  );
});

test('EventRecorder keeps events while the server asks its clients to wait', async () => {
  const { api, clock, recorder, written, lines } = setUp();
  api.before = () => {
    if (clock.now() < 30_000)
      throw new ApiError(429, 'TooManyRequests', 'too many requests', { retryAfterMs: 1000 });
  };
  recorder.record(event('one'));
  await pass(clock, 29_000, 500);
  assert.deepEqual(written(), []);
  await pass(clock, 20_000, 500);
  assert.deepEqual(written(), ['IPAllocated one ×1']);
  assert.deepEqual(
    lines.filter(({ level }) => level !== 'debug'),
    [],
  );
});

test('EventRecorder writes an event that the server refuses only for the first few seconds', async () => {
  const { api, clock, recorder, written } = setUp();
  api.before = () => {
    if (clock.now() < 5000) throw new ApiError(403, 'Forbidden', 'no permission');
  };
  recorder.record(event('one'));
  await pass(clock, 10_000);
  assert.deepEqual(written(), ['IPAllocated one ×1']);
});

test('EventRecorder writes an event of an outage although the server refuses events for a few seconds after the outage', async () => {
  const { api, clock, recorder, written } = setUp();
  api.before = () => {
    if (clock.now() < 60_000) throw new ApiError(0, 'ECONNREFUSED', 'away');
    if (clock.now() < 64_000) throw new ApiError(403, 'Forbidden', 'no permission');
  };
  recorder.record(event('one'));
  await pass(clock, 60_000, 500);
  api.reachability.answered();
  await pass(clock, 60_000, 500);
  assert.deepEqual(written(), ['IPAllocated one ×1']);
});

test('EventRecorder retries a refused event for ten seconds after each outage', async () => {
  const { api, clock, recorder, written } = setUp();
  api.before = () => {
    const now = clock.now();
    if (now < 2000 || (now >= 20_000 && now < 22_000)) throw new ApiError(403, 'Forbidden', 'no permission');
    if (now < 20_000) throw new ApiError(0, 'ECONNREFUSED', 'away');
  };
  recorder.record(event('one'));
  await pass(clock, 20_000, 500);
  api.reachability.answered();
  await pass(clock, 60_000, 500);
  assert.deepEqual(written(), ['IPAllocated one ×1']);
});

test('EventRecorder retries all refused events of an object for ten seconds in total', async () => {
  const { api, clock, recorder, lines } = setUp();
  api.before = () => {
    throw new ApiError(403, 'Forbidden', 'no permission');
  };
  for (const name of ['one', 'two', 'three']) recorder.record(event(name));
  await pass(clock, 20_000);
  assert.equal(lines.filter(({ msg }) => msg === 'event not written').length, 3);
});

test('EventRecorder immediately drops an event that the server rejects as invalid', async () => {
  const { api, recorder, written } = setUp();
  api.before = ({ body }) => {
    if ((body as { note: string }).note === 'one') throw new ApiError(422, 'Invalid', 'no');
  };
  recorder.record(event('one'));
  recorder.record(event('two'));
  await settle();
  assert.deepEqual(written(), ['IPAllocated two ×1']);
});

test('EventRecorder drops a repeated event after ten seconds if the first event of its series cannot be read, and sends the next', async () => {
  const { api, clock, recorder, written, lines } = setUp();
  recorder.record(event('one'));
  await settle();
  const [first] = api.under('/apis/events.k8s.io/v1/namespaces/a/events');
  assert.ok(first);
  const path = `/apis/events.k8s.io/v1/namespaces/a/events/${first.metadata.name}`;
  api.put(path, { ...first, series: { count: 'many' } });
  recorder.record(event('one'));
  recorder.record(event('two'));
  await pass(clock, 6000);
  assert.equal(written().length, 1);
  await pass(clock, 14_000);
  assert.equal(written()[1], 'IPAllocated two ×1');
  assert.deepEqual(
    lines.filter(({ level }) => level !== 'debug').map(({ msg, reason }) => [msg, reason]),
    [['event not written', 'series.count is not a number']],
  );
});

test('EventRecorder cuts a message to the limit of the API and puts events of cluster-scoped objects into the namespace default', async () => {
  const { api, recorder } = setUp();
  recorder.record(
    event('x'.repeat(3000), { regarding: { kind: 'Node', namespace: '', name: 'node-1', uid: 'n' } }),
  );
  await settle();
  const [written] = api.under('/apis/events.k8s.io/v1/namespaces/default/events');
  assert.equal(Buffer.byteLength(String(written?.note)), 1024);
});

test('EventRecorder bounds the number of events of one object that wait during an outage, and logs once that it drops others', async () => {
  const { api, clock, recorder, written, lines } = setUp();
  let isAway = true;
  api.before = () => {
    if (isAway) throw new ApiError(0, 'ECONNREFUSED', 'away');
  };
  const reasons = ['IPAllocated', 'IPReleased', 'AllocationFailed', 'UnknownAnnotation'] as const;
  const recordMany = (word: string, ofEachReason: number) => {
    for (let i = 0; i < ofEachReason; i++)
      for (const reason of reasons) recorder.record(event(`${word} ${i}`, { reason }));
  };
  recordMany('number', 17);
  await pass(clock, 5000);
  recordMany('late', 8);
  assert.equal(lines.filter(({ msg }) => msg === 'events are lost').length, 1);
  isAway = false;
  await pass(clock, 60_000);
  assert.equal(written().length, 64);
});

test('EventRecorder limits the events of one object and reason, and logs the limit once', async () => {
  const { clock, recorder, written, lines } = setUp();
  for (let i = 0; i < 40; i++) recorder.record(event(`number ${i}`));
  recorder.record(event('another reason', { reason: 'IPReleased' }));
  recorder.record(
    event('the same reason', { regarding: { kind: 'ConfigMap', namespace: 'a', name: 'web', uid: 'v' } }),
  );
  await settle();
  assert.equal(written().length, 27);
  assert.equal(lines.filter(({ msg }) => msg === 'events are limited').length, 1);
  clock.advance(600_000);
  for (let i = 0; i < 3; i++) recorder.record(event(`late ${i}`));
  await settle();
  assert.equal(written().filter((line) => line.includes('late')).length, 2);
});

test('EventRecorder writes an event with the fields that the API requires', async () => {
  const { api, recorder } = setUp();
  recorder.record(event('one'));
  await settle();
  const [written = {}] = api.under('/apis/events.k8s.io/v1/namespaces/a/events');
  const { metadata: _, ...event1 } = written as Record<string, unknown>;
  assert.deepEqual(event1, {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    eventTime: '2026-01-01T00:00:00.000000Z',
    regarding: { apiVersion: 'v1', kind: 'Service', namespace: 'a', name: 'web', uid: 'u' },
    type: 'Normal',
    reason: 'IPAllocated',
    action: 'Assign',
    note: 'one',
    reportingController: 'me',
    reportingInstance: 'h',
  });
});
