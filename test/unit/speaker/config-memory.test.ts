import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type AcceptedConfig, configHash } from '../../../src/cluster/accepted-config.ts';
import { emptyConfig } from '../../../src/config/config.ts';
import { AcceptedConfigTracker } from '../../../src/speaker/accepted-config-tracker.ts';
import { ConfigMemory } from '../../../src/speaker/config-memory.ts';
import { memoryLogger } from '../../support/memory-logger.ts';

const text = 'address-pools:\n- {name: p, protocol: layer2, addresses: [192.0.2.0/30]}\n';
const accepted: AcceptedConfig = {
  text,
  hash: configHash(text),
  generation: 7,
  at: '2026-01-02T03:04:05Z',
  config: emptyConfig,
  warnings: [],
};

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'bellman-memory-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('ConfigMemory recalls the last saved configuration, from a file that only its owner can read', (t) => {
  const folder = join(folderOf(t), 'state');
  const memory = new ConfigMemory(folder, 'node-1');
  assert.equal(memory.recall(), undefined);
  assert.equal(memory.save(accepted), undefined);
  const recalled = new ConfigMemory(folder, 'node-1').recall();
  const { hash, generation, at } = accepted;
  assert.deepEqual([recalled?.hash, recalled?.generation, recalled?.at], [hash, generation, at]);
  assert.equal(recalled?.config.pools[0]?.name, 'p');
  assert.equal(statSync(join(folder, 'node-1.accepted-config.json')).mode & 0o777, 0o600);
});

test('ConfigMemory ignores a damaged file, and says why it could not save', (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, 'node-1.accepted-config.json'), '{"text":');
  assert.equal(new ConfigMemory(folder, 'node-1').recall(), undefined);
  assert.match(new ConfigMemory('/dev/null/state', 'node-1').save(accepted) ?? '', /ENOTDIR|EEXIST/);
});

test('AcceptedConfigTracker takes a remembered configuration only while none is in force, and keeps it until a ConfigMap has an accepted one', () => {
  const tracker = new AcceptedConfigTracker(memoryLogger().logger);
  assert.equal(tracker.recall(accepted), true);
  assert.equal(tracker.recall({ ...accepted, hash: 'other' }), false);
  assert.equal(tracker.update('config', undefined), false);
  assert.equal(tracker.current?.hash, accepted.hash);
});

test('AcceptedConfigTracker keeps the configuration in force when a controller of another version accepts a text that the speaker cannot read, and logs each such text once', () => {
  const { logger, lines } = memoryLogger();
  const tracker = new AcceptedConfigTracker(logger);
  const put = (name: string, newText: string, generation: number) =>
    tracker.update(name, {
      ...{ namespace: 'ns', name, uid: '', resourceVersion: '', data: {} },
      annotations: {
        'bellman.dev/accepted-config': newText,
        'bellman.dev/accepted-hash': configHash(newText),
        'bellman.dev/accepted-generation': String(generation),
      },
    });
  assert.equal(put('config', text, 1), true);
  for (const future of ['first-new-key', 'second-new-key']) {
    const newText = `${text}${future}: 1\n`;
    for (const name of ['config', 'bellman-accepted-config', 'config'])
      assert.equal(put(name, newText, 2), false);
  }
  assert.equal(tracker.current?.text, text);
  assert.deepEqual(
    lines.map(({ level, reason }) => `${level} ${String(reason).replace(/:.*?(\w+-new-key).*/s, ' $1')}`),
    ['warn ConfigMap ns/config first-new-key', 'warn ConfigMap ns/config second-new-key'],
  );
});
