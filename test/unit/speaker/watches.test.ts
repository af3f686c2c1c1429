import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { type AcceptedConfig, configHash } from '../../../src/cluster/accepted-config.ts';
import { parseConfig } from '../../../src/config/index.ts';
import { AcceptedConfigTracker } from '../../../src/speaker/accepted-config-tracker.ts';
import type { AwaitedKind } from '../../../src/speaker/initial-sync.ts';
import { KnownSpeakerList } from '../../../src/speaker/known-speakers.ts';
import { SpeakerWatches } from '../../../src/speaker/watches.ts';
import { Guard } from '../../../src/telemetry/guard.ts';
import { Turns } from '../../../src/turns.ts';
import { MemoryApi } from '../../support/memory-api.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { pass } from '../../support/virtual-run.ts';

const collection = '/api/v1/namespaces/bellman-system/secrets';
const labels = { 'bellman.dev/secret': 'peer-password' };
/** A membership key is base64 in the Secret, and Kubernetes encodes the values of a Secret once more. */
const keys = Buffer.from(Buffer.alloc(32, 1).toString('base64')).toString('base64');

interface SetUpOptions {
  readonly put?: (api: MemoryApi) => void;
  /** The configuration in the state directory. */
  readonly remembered?: AcceptedConfig;
}

/**
 * Starts the watches of a speaker. `take` returns the Secrets, configurations and admitted pools that the watches have passed on since the last call.
 * `saved` has the hashes of the configurations that the watches have written to the state directory.
 */
async function setUp(t: TestContext, { put = () => {}, remembered }: SetUpOptions = {}) {
  const clock = new VirtualClock();
  const api = new MemoryApi(clock);
  put(api);
  const logger = pino({ level: 'silent' });
  const passed: string[] = [];
  const arrived: AwaitedKind[] = [];
  const saved: string[] = [];
  const ended = new AbortController();
  const ignored = () => {};
  let admitted = 'nothing';
  const watches = new SpeakerWatches({
    namespace: 'bellman-system',
    client: api,
    clock,
    turns: new Turns(clock),
    logger,
    guard: new Guard({ logger }),
    signal: ended.signal,
    services: new Map(),
    accepted: new AcceptedConfigTracker(logger),
    knownSpeakers: new KnownSpeakerList(),
    memory: {
      save: ({ hash }) => {
        saved.push(hash);
        return undefined;
      },
      recall: () => remembered,
    },
    speaker: {
      setConfig: ({ pools }) => void passed.push(`pools ${pools.map(({ name }) => name).join()}`),
      setAdmittedPools: (pools) => {
        const text = pools === 'all' ? '*' : [...pools].join() || 'nothing';
        if (text !== admitted) passed.push(`admitted ${text}`);
        admitted = text;
      },
      setService: ignored,
      setEndpointSlice: ignored,
      setNode: ignored,
      setSpeakers: (nodes) => void (nodes && passed.push(`speakers ${[...nodes].join()}`)),
      reached: ignored,
      setSecret: (name, secret) => void passed.push(`${name} ${secret ? Object.keys(secret.data) : 'gone'}`),
    },
    layer2: {
      setSpeakers: ignored,
      setKeys: (read) => void passed.push(read.ok ? `${read.value.length} membership keys` : read.error),
    },
    deathReporter: { setConfig: ignored, setSpeakers: ignored },
    reconciler: { serviceChanged: ignored, serviceGone: ignored },
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
    saved,
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
  const { arrived, take } = await setUp(t, {
    put: (api) => {
      api.put(`${collection}/bellman-membership`, membershipSecret());
      api.put(`${collection}/bgp`, secret('bgp', { labels }));
      api.put(`${collection}/pull`, secret('pull'));
      api.put(`${collection}/other`, secret('other', { labels: { 'bellman.dev/secret': 'other' } }));
    },
  });
  assert.deepEqual((await take()).sort(), ['1 membership keys', 'bgp password']);
  assert.deepEqual(
    arrived.filter((kind) => kind === 'secrets'),
    ['secrets'],
  );
});

test('SpeakerWatches passes on which nodes have a speaker Pod, but not before it has read all Pods', async (t) => {
  const pods = '/api/v1/namespaces/bellman-system/pods';
  const podLabels = { 'app.kubernetes.io/name': 'bellman', 'app.kubernetes.io/component': 'speaker' };
  const pod = (name: string, nodeName: string) => ({
    metadata: { name, namespace: 'bellman-system', labels: podLabels },
    spec: { nodeName },
    status: { podIPs: [{ ip: '10.0.0.1' }] },
  });
  const { api, take } = await setUp(t, {
    put: (each) => {
      for (const i of [1, 2]) each.put(`${pods}/speaker-${i}`, pod(`speaker-${i}`, `node-${i}`));
    },
  });
  const isAboutSpeakers = (line: string) => line.startsWith('speakers');
  assert.deepEqual((await take()).filter(isAboutSpeakers), ['speakers node-1,node-2']);
  api.remove(`${pods}/speaker-1`);
  assert.deepEqual((await take()).filter(isAboutSpeakers), ['speakers node-2']);
});

test('SpeakerWatches reports a missing membership Secret once, and passes on its creation and deletion', async (t) => {
  const { api, take } = await setUp(t);
  assert.deepEqual(await take(), ['Secret bellman-membership does not exist']);
  api.put(`${collection}/bellman-membership`, membershipSecret());
  assert.deepEqual(await take(), ['1 membership keys']);
  api.remove(`${collection}/bellman-membership`);
  assert.deepEqual(await take(), ['Secret bellman-membership does not exist']);
});

test('SpeakerWatches passes on a Secret while it has the label of peer passwords, and reports the Secret as gone afterwards', async (t) => {
  const { api, take } = await setUp(t, { put: (api) => void api.put(`${collection}/bgp`, secret('bgp')) });
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

test('SpeakerWatches reports Secrets as arrived only after it has read both lists of Secrets', async (t) => {
  const { arrived } = await setUp(t, {
    put: (api) => {
      api.before = ({ path }) => {
        if (path.includes('labelSelector=bellman.dev')) throw new Error('refused');
      };
    },
  });
  assert.ok(!arrived.includes('secrets'));
  assert.ok(arrived.includes('services'));
});

const configMaps = '/api/v1/namespaces/bellman-system/configmaps';

function acceptedConfig(pool: string, generation: number): AcceptedConfig {
  const text = `address-pools: [{name: ${pool}, protocol: layer2, addresses: [192.0.2.240/28]}]\n`;
  const parsed = parseConfig(text);
  assert.ok(parsed.ok);
  return { text, hash: configHash(text), generation, at: '', config: parsed.value, warnings: [] };
}

/** Stores a ConfigMap as the controller leaves it when it accepts the configuration. */
function putConfig(api: MemoryApi, name: string, { text, hash, generation }: AcceptedConfig): void {
  const annotations = {
    'bellman.dev/accepted-config': text,
    'bellman.dev/accepted-hash': hash,
    'bellman.dev/accepted-generation': String(generation),
  };
  api.put(`${configMaps}/${name}`, {
    metadata: { name, namespace: 'bellman-system', annotations },
    data: { config: text },
  });
}

const configsOf = (passed: readonly string[]) => passed.filter((line) => line.startsWith('pools'));

test("SpeakerWatches uses the state directory's configuration when both ConfigMaps are gone, and follows a ConfigMap once it appears", async (t) => {
  const remembered = acceptedConfig('remembered', 7);
  const { api, arrived, saved, take } = await setUp(t, { remembered });
  assert.deepEqual(configsOf(await take()), ['pools remembered']);
  assert.ok(arrived.includes('config'));
  assert.deepEqual(saved, []);
  const next = acceptedConfig('next', 8);
  putConfig(api, 'config', next);
  assert.deepEqual(configsOf(await take()), ['pools next']);
  assert.deepEqual(saved, [next.hash]);
});

test('SpeakerWatches waits for both ConfigMaps, uses the newer of their two configurations whatever the state directory has, and saves it', async (t) => {
  const [old, newest] = [acceptedConfig('old', 1), acceptedConfig('newest', 2)];
  const { arrived, saved, take } = await setUp(t, {
    remembered: acceptedConfig('remembered', 9),
    put: (api) => {
      putConfig(api, 'config', old);
      putConfig(api, 'bellman-accepted-config', newest);
    },
  });
  assert.equal(configsOf(await take()).at(-1), 'pools newest');
  assert.equal(saved.at(-1), newest.hash);
  assert.equal(arrived.filter((kind) => kind === 'config').length, 1);
});

test('SpeakerWatches has no configuration while neither a ConfigMap nor the state directory has one', async (t) => {
  const { arrived, take } = await setUp(t);
  assert.deepEqual(configsOf(await take()), []);
  assert.ok(!arrived.includes('config'));
  assert.ok(arrived.includes('services'));
});

test('SpeakerWatches passes on the admitted pools of the ConfigMap, and keeps them when the ConfigMap is deleted', async (t) => {
  const path = '/api/v1/namespaces/bellman-system/configmaps/config';
  const configMap = (takeover?: string) => ({
    metadata: {
      ...{ name: 'config', namespace: 'bellman-system' },
      annotations: takeover === undefined ? {} : { 'bellman.dev/takeover': takeover },
    },
  });
  const { api, take } = await setUp(t, { put: (server) => void server.put(path, configMap('office, lab')) });
  assert.ok((await take()).includes('admitted office,lab'));
  api.remove(path);
  assert.deepEqual(await take(), []);
  api.put(path, configMap('*'));
  assert.deepEqual(await take(), ['admitted *']);
  api.put(path, configMap());
  assert.deepEqual(await take(), ['admitted nothing']);
});
