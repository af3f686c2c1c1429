/** `bellman collect` in a lab with planted secrets: the bundle explains the problems, and holds no secret. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { kubeconfigPath, type Lab } from '../../lab/lab.ts';
import { bellman } from '../../lab/program.ts';
import { writeBundle } from '../../src/cli/collect/write.ts';
import { labSource } from '../support/status-report.ts';
import { config, ExplainedLab, peer, serviceObjects } from './explain-fixtures.ts';

describe('bellman collect', { concurrency: false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'bellman-collect-'));
  let explained: ExplainedLab;
  let lab: Lab;
  before(async () => {
    explained = await ExplainedLab.start();
    lab = explained.lab;
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await explained?.close();
  });

  /** The files of a new bundle, by their names. */
  async function collected(name: string): Promise<ReadonlyMap<string, string>> {
    const archive = join(folder, `${name}.tar.gz`);
    // The command must change the mode of a file that exists already, so the test first creates a file that other users may read.
    writeFileSync(archive, '', { mode: 0o644 });
    await writeBundle(labSource, { output: archive, version: 'test' });
    assert.equal(statSync(archive).mode & 0o777, 0o600);
    const root = mkdtempSync(join(folder, `${name}-`));
    execFileSync('tar', ['-xzf', archive, '-C', root]);
    const names = readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    return new Map(
      names.map((path) => [path.slice(join(root, 'bellman/').length), readFileSync(path, 'utf8')]),
    );
  }

  test('holds the state of every process, and an explanation of each problem', async () => {
    await lab.apply(...serviceObjects('waiting', 'nowhere'));
    await explained.problems(/^service: Service default\/waiting waits/);
    const files = await collected('problems');
    for (const name of [
      ...['README.txt', 'status.txt', 'status.json', 'problems.txt', 'problems.json'],
      ...['config/config.yaml', 'config/accepted.yaml', 'config/annotations.json'],
      'controller/status.json',
      ...['kubernetes/services.json', 'kubernetes/nodes.json', 'kubernetes/events.json'],
      ...['node-1', 'node-2'].flatMap((node) =>
        ['status.json', 'events.jsonl', 'metrics.txt'].map((file) => `speakers/${node}/${file}`),
      ),
    ])
      assert.ok(
        (files.get(name) ?? '').length > 0,
        `${name} is missing or empty; there are ${[...files.keys()]}`,
      );
    assert.match(files.get('problems.txt') ?? '', /default\/waiting/);
    assert.match(files.get('explain/default_waiting.txt') ?? '', /there is no pool nowhere/);
    assert.match(files.get('kubernetes/events.json') ?? '', /AllocationFailed/);
    assert.match(
      files.get('speakers/node-1/metrics.txt') ?? '',
      /^bellman_bgp_session_up\{peer="router"\} 1$/m,
    );
    assert.match(files.get('speakers/node-1/events.jsonl') ?? '', /"machine":"peer router"/);
    assert.doesNotMatch(files.get('README.txt') ?? '', /^- /m, 'everything was read');
    await explained.remove('waiting');
  });

  test('holds no planted secret', async () => {
    const planted = 'planted-7f3a9c';
    await lab.apply(
      ...serviceObjects('bearer', 'office', {
        annotations: { 'example.com/token': planted, 'bellman.dev/address-pool': 'office' },
      }),
    );
    const withPassword = peer.replace('}', `, password: '${planted}'}`);
    await lab.configure(config(withPassword));
    await explained.explained('web', 'not announced', /password/);
    // The next edit is rejected. So the accepted text and the present text hold different secrets. The present text holds its secret a second
    // time, outside of a password.
    await lab.configure(
      config(withPassword.replace(planted, `${planted}-second`), `\nbroken: ${planted}-second\n`),
    );
    await explained.explained('web', 'not announced', /./);
    await lab.until('the edit is rejected', async () =>
      (await lab.kubectl('get', 'configmap', 'config', '-n', 'bellman-system', '-o', 'yaml')).includes(
        'stale',
      ),
    );
    const files = await collected('secrets');
    assert.ok(files.get('config/config.yaml')?.includes('<redacted>'));
    assert.ok(files.get('config/accepted.yaml')?.includes('<redacted>'));
    for (const [name, text] of files) assert.doesNotMatch(text, /planted/, name);
    assert.match(files.get('problems.txt') ?? '', /stale/);
  });

  test('names what it could not read', async () => {
    await lab.stop('speaker-node-2', 'SIGKILL');
    const readme = (await collected('dead')).get('README.txt') ?? '';
    assert.match(readme, /- the speaker of node node-2: ECONNREFUSED/);
  });

  test('the command writes the archive to standard output', async () => {
    const flags = ['--kubeconfig', kubeconfigPath, '--controller-port', '7472'];
    const archive = execFileSync(bellman, ['collect', ...flags], { maxBuffer: 1 << 28 });
    assert.match(gunzipSync(archive).toString('latin1'), /bellman\/README\.txt/);
  });
});
