import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../src/kubernetes/client.ts';
import { EventRecorder } from '../../../src/kubernetes/event-recorder.ts';
import type { EventRecord } from '../../../src/kubernetes/events.ts';
import { MemoryApi } from '../../support/memory-api.ts';
import { memoryLogger } from '../../support/memory-logger.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass, settle } from '../../support/virtual-run.ts';

function setUp() {
  const api = new MemoryApi();
  const clock = new VirtualClock();
  const { logger, lines } = memoryLogger();
  const recorder = new EventRecorder({ client: api, component: 'me', host: 'h', logger, clock });
  const written = () =>
    api
      .under('/api/v1/namespaces/a/events')
      .map((event) => `${event.reason} ${event.message} ×${event.count}`);
  return { api, clock, lines, recorder, written };
}

function said(message: string, more: Partial<EventRecord> = {}): EventRecord {
  const regarding = { kind: 'Service' as const, namespace: 'a', name: 'web', uid: 'u' };
  return { regarding, type: 'Normal', reason: 'IPAllocated', message, ...more };
}

test('EventRecorder writes the events of an object in order', async () => {
  const { recorder, written } = setUp();
  for (const word of ['one', 'two', 'three']) recorder.record(said(word));
  await settle();
  assert.deepEqual(written(), ['IPAllocated one ×1', 'IPAllocated two ×1', 'IPAllocated three ×1']);
});

test('EventRecorder counts what is said again on the event that stands, unless it should be new', async () => {
  const { recorder, written } = setUp();
  recorder.record(said('one'));
  await settle();
  recorder.record(said('one'));
  recorder.record(said('one', { onlyIfNew: true }));
  await settle();
  assert.deepEqual(written(), ['IPAllocated one ×2']);
});

test('EventRecorder keeps what it cannot send, and sends it when the server is back', async () => {
  const { api, clock, recorder, written, lines } = setUp();
  let away = true;
  api.before = () => {
    if (away) throw new ApiError(0, 'ECONNREFUSED', 'away');
  };
  recorder.record(said('one'));
  recorder.record(said('two'));
  await pass(clock, 5000);
  assert.deepEqual(written(), []);
  away = false;
  await pass(clock, 31_000, 500);
  assert.deepEqual(written(), ['IPAllocated one ×1', 'IPAllocated two ×1']);
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ['API server not reached, retrying'],
  );
});

test('EventRecorder lets a refused event go with a word, and goes on with the next', async () => {
  const { api, recorder, written, lines } = setUp();
  api.before = ({ body }) => {
    if ((body as { message: string }).message === 'one') throw new ApiError(403, 'Forbidden', 'not you');
  };
  recorder.record(said('one'));
  recorder.record(said('two'));
  await settle();
  assert.deepEqual(written(), ['IPAllocated two ×1']);
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ['event not written'],
  );
});

test('EventRecorder cuts a message to what the API takes, and puts events of cluster objects into default', async () => {
  const { api, recorder } = setUp();
  recorder.record(
    said('x'.repeat(3000), { regarding: { kind: 'Node', namespace: '', name: 'node-1', uid: 'n' } }),
  );
  await settle();
  const [event] = api.under('/api/v1/namespaces/default/events');
  assert.equal(String(event?.message).length, 1024);
});
