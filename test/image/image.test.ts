/**
 * The image that `make image` wrote to dist/image. The tests read it with skopeo and umoci, because a reader of our own could make the same
 * mistakes as the code that wrote the image. The tests need Debian's archive, so `make image-test` runs them, and `make test` does not.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { nodeFlags } from '../../scripts/node-flags.ts';
import { emulatorInRoot, isHost, root, type Target, targets } from '../../scripts/target.ts';

const output = join(root, 'dist/image');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const layout = `oci:${join(output, 'oci')}:${version}`;
const archive = (target: Target) => join(output, `bellman-${version}-${target.debian}.tar`);

let scratch = '';
before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'bellman-image-'));
});
after(() => {
  rmSync(scratch, { recursive: true, force: true });
});

function skopeo(...args: string[]): string {
  return execFileSync('skopeo', args, { encoding: 'utf8', maxBuffer: 1e7 });
}

/** Unpacks the image of one architecture, and returns its root directory. */
function unpack(target: Target): string {
  const single = `${join(scratch, `oci-${target.debian}`)}:image`;
  const bundle = join(scratch, `bundle-${target.debian}`);
  skopeo('copy', '--quiet', '--override-arch', target.debian, layout, `oci:${single}`);
  execFileSync('umoci', ['unpack', '--rootless', '--image', single, bundle], { stdio: 'pipe' });
  return join(bundle, 'rootfs');
}

test('the image is the same when it is built again', () => {
  const again = join(scratch, 'again');
  execFileSync(join(root, 'scripts/image/build.sh'), ['--output', again], { stdio: 'inherit' });
  const files = (folder: string) => globSync('**', { cwd: folder, withFileTypes: false }).sort();
  assert.deepEqual(files(again), files(output));
  assert.ok(files(again).length > 10);
  for (const file of files(output))
    if (statSync(join(output, file)).isFile())
      assert.ok(readFileSync(join(output, file)).equals(readFileSync(join(again, file))), file);
});

test('the image is there for both architectures', () => {
  const { manifests } = JSON.parse(skopeo('inspect', '--raw', layout)) as {
    manifests: { platform: { architecture: string; os: string } }[];
  };
  assert.deepEqual(
    manifests.map(({ platform }) => platform),
    targets.map(({ debian }) => ({ architecture: debian, os: 'linux' })),
  );
});

test('the manifests name the image that is built', () => {
  const text = readFileSync(join(root, 'manifests/kustomization.yaml'), 'utf8');
  assert.match(text, new RegExp(`- name: bellman\\n {4}newTag: ${version.replaceAll('.', '\\.')}\\n`));
});

for (const target of targets)
  describe(`the image for ${target.debian}`, { concurrency: false }, () => {
    let folder = '';
    before(() => {
      folder = unpack(target);
    });
    const files = () => readdirSync(folder, { recursive: true, withFileTypes: true });

    /** Runs a program of the image as one of its users, with the image as root directory. */
    function run(user: number, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
      const qemu = join(folder, emulatorInRoot);
      if (!isHost(target)) copyFileSync(join('/usr/bin', target.qemu), qemu);
      try {
        // The launcher /usr/bin/bellman executes Node, and QEMU cannot execute another program. Here QEMU therefore starts Node itself.
        const emulated =
          command === '/usr/bin/bellman'
            ? [emulatorInRoot, '/usr/lib/bellman/bin/node', '/usr/lib/bellman/app/bellman.js']
            : [emulatorInRoot, command];
        return spawnSync(
          'unshare',
          [
            ...['--user', `--map-user=${user}`, `--map-group=${user}`, `--root=${folder}`, '--wd=/'],
            ...(isHost(target) ? [command] : emulated),
            ...args,
          ],
          { encoding: 'utf8', env: { PATH: process.env.PATH, ...env } },
        );
      } finally {
        rmSync(qemu, { force: true });
      }
    }

    test('names its architecture, version, licence and Git revision, and starts as a user other than root', () => {
      const { architecture, config } = JSON.parse(
        skopeo('inspect', '--config', '--override-arch', target.debian, layout),
      ) as {
        architecture: string;
        config: { User: string; Entrypoint: string[]; Labels: Record<string, string> };
      };
      assert.equal(architecture, target.debian);
      assert.equal(config.User, '65532:65532');
      assert.deepEqual(config.Entrypoint, ['/usr/bin/bellman']);
      assert.equal(config.Labels['org.opencontainers.image.version'], version);
      assert.equal(config.Labels['org.opencontainers.image.licenses'], 'Apache-2.0');
      assert.match(config.Labels['org.opencontainers.image.revision'] ?? '', /^[0-9a-f]{40}/);
    });

    test('runs bellman as root and as the user of the image', () => {
      for (const user of [0, 65532]) {
        const { status, stdout, stderr } = run(user, '/usr/bin/bellman', ['--version']);
        assert.equal(status, 0, stderr);
        assert.equal(stdout.trim(), version);
      }
    });

    test('prints the plugin of kubectl', () => {
      const { status, stdout, stderr } = run(65532, '/usr/bin/bellman', ['plugin']);
      assert.equal(status, 0, stderr);
      assert.equal(stdout, readFileSync(join(root, 'bin/kubectl-bellman'), 'utf8'));
    });

    test('has the web page, its process and its command', () => {
      const app = join(folder, 'usr/lib/bellman/app');
      const page = join(root, 'src/page/browser');
      for (const name of readdirSync(page).filter((each) => !each.endsWith('.json')))
        assert.ok(readFileSync(join(app, 'browser', name)).equals(readFileSync(join(page, name))), name);
      assert.ok(statSync(join(app, 'page-process.js')).isFile());
      const { status, stdout, stderr } = run(65532, '/usr/bin/bellman', ['page', '--help']);
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^Usage: bellman page /);
    });

    test('judges a configuration', () => {
      copyFileSync(join(root, 'manifests/example-config.yaml'), join(folder, 'example.yaml'));
      const { status, stdout, stderr } = run(65532, '/usr/bin/bellman', ['validate', '/example.yaml']);
      rmSync(join(folder, 'example.yaml'));
      assert.equal(status, 0, stdout + stderr);
    });

    test('loads the code that the build compiled, as root and as the user of the image', () => {
      for (const user of [0, 65532])
        for (const program of ['bellman', 'speaker', 'controller']) {
          const { stderr } = run(
            user,
            '/usr/lib/bellman/bin/node',
            [...nodeFlags, `/usr/lib/bellman/app/${program}.js`, '--version'],
            {
              NODE_COMPILE_CACHE: '/usr/lib/bellman/compiled',
              NODE_COMPILE_CACHE_PORTABLE: '1',
              NODE_DEBUG_NATIVE: 'COMPILE_CACHE',
            },
          );
          assert.match(
            stderr,
            new RegExp(`V8 code cache for ESM file:///usr/lib/bellman/app/${program}\\.js was accepted`),
          );
          assert.doesNotMatch(stderr, /was rejected/);
        }
    });

    test('has every library and function that the native addons load', () => {
      const addons = files().filter(({ name }) => name.endsWith('.node'));
      assert.equal(addons.length, 3);
      for (const { name, parentPath } of addons) {
        const path = join('/', join(parentPath, name).slice(folder.length));
        const now = 'os.constants.dlopen.RTLD_NOW';
        const code = `process.dlopen({ exports: {} }, ${JSON.stringify(path)}, ${now})`;
        const { status, stderr } = run(65532, '/usr/lib/bellman/bin/node', ['--eval', code]);
        assert.equal(status, 0, stderr);
      }
    });

    test('has no shell and no programs but bellman and node, and only root may write its files', () => {
      const programs = files()
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => join(parentPath, name))
        .filter((file) => {
          const { mode } = statSync(file);
          assert.equal(mode & 0o6022, 0, `${file} has mode ${mode.toString(8)}`);
          return (mode & 0o111) !== 0 && !/\.so(\.|$)|\.node$/.test(file);
        })
        .map((file) => file.slice(folder.length));
      assert.deepEqual(programs.sort(), ['/usr/lib/bellman/bellman', '/usr/lib/bellman/bin/node']);
    });

    test('lists its packages and has their licences', () => {
      const documents = join(folder, 'usr/share/doc/bellman');
      const sbom = readFileSync(join(documents, 'sbom.cdx.json'), 'utf8');
      const beside = join(output, `bellman-${version}-${target.debian}.sbom.cdx.json`);
      assert.equal(readFileSync(beside, 'utf8'), sbom);
      const { components } = JSON.parse(sbom) as { components: { name: string }[] };
      const names = components.map(({ name }) => name);
      for (const name of ['node', 'koffi', 'pcap', 'pino', 'zod', 'libc6', 'libpcap0.8'])
        assert.ok(names.includes(name), name);
      assert.ok(!names.includes('typescript'));
      const licences = readFileSync(join(documents, 'third-party-licenses.txt'), 'utf8');
      for (const name of [`node-linux-${target.arch}`, 'koffi', 'pino', 'zod'])
        assert.match(licences, new RegExp(`^==== ${name} `, 'm'));
      for (const name of readdirSync(join(folder, 'var/lib/dpkg/status.d'))) {
        assert.ok(names.includes(name), name);
        assert.ok(statSync(join(folder, 'usr/share/doc', name, 'copyright')).size > 0, name);
      }
    });

    test('takes at most 150 MB, and 60 MB compressed', () => {
      const octets = files()
        .filter((entry) => entry.isFile())
        .reduce((total, { parentPath, name }) => total + statSync(join(parentPath, name)).size, 0);
      assert.ok(octets < 150e6, `${octets}`);
      assert.ok(statSync(archive(target)).size < 60e6);
    });

    test('is the same in the archive that `docker load` and `ctr images import` read', () => {
      const config = (source: string) =>
        skopeo('inspect', '--config', '--raw', '--override-arch', target.debian, source);
      assert.equal(config(`docker-archive:${archive(target)}`), config(layout));
      const manifest = execFileSync('tar', ['-xOf', archive(target), 'manifest.json'], { encoding: 'utf8' });
      const [{ RepoTags }] = JSON.parse(manifest) as [{ RepoTags: string[] }];
      assert.deepEqual(RepoTags, [`bellman:${version}`]);
    });
  });
