import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { AcceptedConfigTracker } from '../../../src/speaker/accepted-config-tracker.ts';
import type { AwaitedKind } from '../../../src/speaker/initial-sync.ts';
import { KnownSpeakerList } from '../../../src/speaker/known-speakers.ts';
import { SpeakerWatches } from '../../../src/speaker/watches.ts';
import { Guard } from '../../../src/telemetry/guard.ts';
import { MemoryApi } from '../../support/memory-api.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass } from '../../support/virtual-run.ts';

const collection = '/api/v1/namespaces/bellman-system/secrets';
const labels = { 'bellman.dev/secret': 'peer-password' };
const keys = Buffer.from(Buffer.alloc(32, 1).toString('base64')).toString('base64');

/** Starts the watches of a speaker. `take` returns what the watches have passed on about Secrets since the last call. */
async function setUp(t: TestContext, put: (api: MemoryApi) => void = () => {}) {
  const clock = new VirtualClock();
  const api = new MemoryApi(clock);
  put(api);
  const logger = pino({ level: 'silent' });
  const passed: string[] = [];
  const arrived: AwaitedKind[] = [];
  const ended = new AbortController();
  const ignored = () => {};
  const watches = new SpeakerWatches({
    namespace: 'bellman-system',
    client: api,
    clock,
    logger,
    guard: new Guard({ logger }),
    signal: ended.signal,
    services: new Map(),
    accepted: new AcceptedConfigTracker(),
    knownSpeakers: new KnownSpeakerList(),
    memory: { save: () => undefined, recall: () => undefined },
    speaker: {
      setConfig: ignored,
      setService: ignored,
      setEndpointSlice: ignored,
      setNode: ignored,
      reached: ignored,
      setSecret: (name, secret) => void passed.push(`${name} ${secret ? Object.keys(secret.data) : 'gone'}`),
    },
    layer2: {
      setSpeakers: ignored,
      setKeys: (read) => void passed.push(read.ok ? `${read.value.length} membership keys` : read.error),
    },
    reconciler: { serviceChanged: ignored },
    arrived: (kind) => void arrived.push(kind),
  });
  const running = watches.run();
  t.after(async () => {
    ended.abort();
    await running;
  });
  await pass(clock, 100);
  return {
    api,
    arrived,
    take: async () => {
      await pass(clock, 100);
      return passed.splice(0);
    },
  };
}

function secret(name: string, over: object = {}) {
  return { metadata: { name, namespace: 'bellman-system', ...over }, data: { password: 'eA==' } };
}

function membershipSecret() {
  return { ...secret('bellman-membership'), data: { keys } };
}

test('SpeakerWatches passes on the membership Secret and the Secrets with the label of peer passwords, and no others', async (t) => {
  const { arrived, take } = await setUp(t, (api) => {
    api.put(`${collection}/bellman-membership`, membershipSecret());
    api.put(`${collection}/bgp`, secret('bgp', { labels }));
    api.put(`${collection}/pull`, secret('pull'));
    api.put(`${collection}/other`, secret('other', { labels: { 'bellman.dev/secret': 'other' } }));
  });
  assert.deepEqual((await take()).sort(), ['1 membership keys', 'bgp password']);
  assert.deepEqual(
    arrived.filter((kind) => kind === 'secrets'),
    ['secrets'],
  );
});

test('SpeakerWatches reports a missing membership Secret once, and passes on its creation and deletion', async (t) => {
  const { api, take } = await setUp(t);
  assert.deepEqual(await take(), ['Secret bellman-membership does not exist']);
  api.put(`${collection}/bellman-membership`, membershipSecret());
  assert.deepEqual(await take(), ['1 membership keys']);
  api.remove(`${collection}/bellman-membership`);
  assert.deepEqual(await take(), ['Secret bellman-membership does not exist']);
});

test('SpeakerWatches passes on a Secret while it has the label, and reports the Secret as gone afterwards', async (t) => {
  const { api, take } = await setUp(t, (api) => api.put(`${collection}/bgp`, secret('bgp')));
  await take();
  api.put(`${collection}/bgp`, secret('bgp', { labels }));
  assert.deepEqual(await take(), ['bgp password']);
  api.put(`${collection}/bgp`, secret('bgp'));
  assert.deepEqual(await take(), ['bgp gone']);
  api.put(`${collection}/bgp`, secret('bgp', { labels }));
  assert.deepEqual(await take(), ['bgp password']);
  api.remove(`${collection}/bgp`);
  assert.deepEqual(await take(), ['bgp gone']);
});

test('SpeakerWatches reports Secrets as arrived only after both lists of Secrets', async (t) => {
  const { arrived } = await setUp(t, (api) => {
    api.before = ({ path }) => {
      if (path.includes('labelSelector=bellman.dev')) throw new Error('refused');
    };
  });
  assert.ok(!arrived.includes('secrets'));
  assert.ok(arrived.includes('services'));
});
