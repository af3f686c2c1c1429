/** The program as `make build` leaves it. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nodeFlags } from '../../scripts/node-flags.ts';
import { exitCodes } from '../../src/cli/exit-codes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
// `lab/world` mounts an empty /tmp for this test, so the build disappears with the test.
const dist = '/tmp/dist';
process.env.BELLMAN_PROGRAM = join(dist, 'bellman');
const { Lab } = await import('../../lab/lab.ts');

/** The text of a bundle and of all chunks that it loads at its start. */
function loadedBy(file: string, seen = new Set<string>()): string {
  if (seen.has(file)) return '';
  seen.add(file);
  const text = readFileSync(join(dist, 'app', file), 'utf8');
  const chunks = text.matchAll(/(?:from|import)\s*"\.\/([\w-]+\.js)"/g);
  return text + [...chunks].map(([, chunk = '']) => loadedBy(chunk, seen)).join('');
}

describe('the program that is shipped', { concurrency: false }, () => {
  let lab: Awaited<ReturnType<typeof Lab.start>> | undefined;
  before(() => execFileSync(process.execPath, [join(root, 'scripts/build.ts'), dist]));
  after(() => lab?.close());

  test('is built in the place of an earlier build, but not in a folder with other files', () => {
    const run = (folder: string) =>
      spawnSync(process.execPath, [join(root, 'scripts/build.ts'), folder], { encoding: 'utf8' });
    assert.equal(run(dist).status, 0);
    mkdirSync('/tmp/precious');
    writeFileSync('/tmp/precious/file', '');
    const { status, stderr } = run('/tmp/precious');
    assert.equal(status, 1);
    assert.match(stderr, /^build: \/tmp\/precious is not empty and holds no build/);
    assert.deepEqual(readdirSync('/tmp/precious'), ['file']);
  });

  test('contains compiled code', () => {
    assert.ok(readdirSync(join(dist, 'compiled')).length > 0);
  });

  for (const program of ['layer2-process', 'bfd-process', 'page-process'])
    test(`loads the compiled code of the ${program}`, () => {
      const { stderr } = spawnSync(join(dist, 'bin/node'), [...nodeFlags, join(dist, `app/${program}.js`)], {
        encoding: 'utf8',
        env: {
          NODE_COMPILE_CACHE: join(dist, 'compiled'),
          NODE_COMPILE_CACHE_PORTABLE: '1',
          NODE_DEBUG_NATIVE: 'COMPILE_CACHE',
        },
      });
      assert.match(stderr, new RegExp(`/app/${program}\\.js was accepted`));
    });

  test('takes at most 150 MB on disk, with Node', () => {
    const [kilobytes] = execFileSync('du', ['-sk', dist], { encoding: 'utf8' }).split('\t');
    assert.ok((Number(kilobytes) * 1024) / 1e6 < 150, `${kilobytes} KiB`);
  });

  test('loads no HTTP, schema or Kubernetes code in the layer-2 process and the BFD process', () => {
    const files = readdirSync(join(dist, 'app')).filter((name) => name.endsWith('.js'));
    const everything = files.map((name) => readFileSync(join(dist, 'app', name), 'utf8')).join('');
    for (const [what, pattern] of [
      ['HTTP', /(?:from|require\()\s*"(?:node:)?https?"/],
      ['zod', /ZodObject/],
      ['the API client', /serviceaccount/],
    ] as const) {
      assert.match(everything, pattern, `no bundle contains ${what}, so the pattern proves nothing`);
      for (const program of ['layer2-process.js', 'bfd-process.js'])
        assert.doesNotMatch(loadedBy(program), pattern, `${program} loads ${what}`);
    }
  });

  test('contains prom-client without the parts that Bellman does not use', () => {
    const files = readdirSync(join(dist, 'app')).filter((name) => name.endsWith('.js'));
    const everything = files.map((name) => readFileSync(join(dist, 'app', name), 'utf8')).join('');
    assert.match(everything, /AggregatorRegistry/, 'no bundle contains prom-client');
    assert.doesNotMatch(everything, /TDigest|opentelemetry\.js\.api|process_cpu_user_seconds_total/);
  });

  test('contains @kubernetes/client-node once', () => {
    const files = readdirSync(join(dist, 'app')).filter((name) => name.endsWith('.js'));
    assert.deepEqual(
      files.filter((name) =>
        readFileSync(join(dist, 'app', name), 'utf8').includes('loadFromClusterAndUser'),
      ),
      ['kubeconfig.js'],
    );
  });

  for (const daemon of ['speaker', 'controller'])
    test(`runs the ${daemon} from a bundle of its own, with the same flags as the bundle of all commands`, () => {
      const withAllCommands = [join(dist, 'app/bellman.js'), daemon, '--help'];
      assert.equal(
        execFileSync(join(dist, 'bellman'), [daemon, '--help'], { encoding: 'utf8' }),
        execFileSync(join(dist, 'bin/node'), withAllCommands, { encoding: 'utf8' }),
      );
      const { status, stderr } = spawnSync(join(dist, 'bellman'), [daemon, '--no-such-flag'], {
        encoding: 'utf8',
        env: { NODE_DEBUG_NATIVE: 'COMPILE_CACHE' },
      });
      assert.equal(status, exitCodes.failed);
      assert.match(stderr, new RegExp(`/app/${daemon}\\.js was accepted`));
      assert.doesNotMatch(stderr, /\/app\/bellman\.js/);
    });

  test('prints the version of the package', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    assert.equal(execFileSync(join(dist, 'bellman'), ['--version'], { encoding: 'utf8' }).trim(), version);
  });

  test('prints the plugin of kubectl', () => {
    const plugin = readFileSync(join(root, 'bin/kubectl-bellman'), 'utf8');
    assert.equal(execFileSync(join(dist, 'bellman'), ['plugin'], { encoding: 'utf8' }), plugin);
  });

  test('announces an address by BGP and answers for one in layer 2', async () => {
    const running = await Lab.start({ nodes: 2 });
    lab = running;
    await running.applyExample('config');
    for (const [service, client] of [
      ['web', running.fabric.far],
      ['printer', running.fabric.near],
    ] as const) {
      await running.applyExample(service);
      await running.addPods(service, running.fabric.nodes);
      await running.until(
        `${service} has addresses`,
        async () => (await running.addressesOf(service)).length > 0,
      );
      const [address = ''] = await running.addressesOf(service);
      await running.until(`${address} answers`, () => running.curl(client, address).then(() => true));
    }
  });
});
