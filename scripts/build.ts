/**
 * Writes the program as it is shipped to `dist/`: bundles without unused code, with source maps, beside the addons and the Node binary that run
 * them. `dist/` needs nothing else but the C and C++ libraries and libpcap of Debian.
 *   node scripts/build.ts [DIRECTORY]
 * Replaces an earlier build. Refuses a folder that holds anything else.
 *
 *   dist/bellman               starts the program with the flags and variables that were measured (docs/design/footprint.md)
 *   dist/app/bellman.js        the command line, which loads the code of a daemon on demand
 *   dist/app/layer2-process.js the layer-2 process
 *   dist/app/bfd-process.js    the BFD process
 *   dist/compiled/             V8's code of the daemons, so that they do not compile it at every start
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = resolve(process.argv[2] ?? join(root, 'dist'));
const modules = join(root, 'node_modules');

/** The push gateway is the only part of prom-client that loads Node's HTTP, which costs the layer-2 process 5 MB. Bellman is scraped. */
const withoutPushGateway: Plugin = {
  name: 'without-push-gateway',
  setup(builder) {
    builder.onResolve({ filter: /^\.\/lib\/pushgateway$/ }, ({ importer }) =>
      importer.includes('/prom-client/') ? { path: 'push-gateway', namespace: 'empty' } : undefined,
    );
    builder.onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'module.exports = undefined' }));
  },
};

/** koffi finds its addon by paths that a bundler cannot follow. */
const koffiFiles = [
  ...['package.json', 'index.js', 'LICENSE.txt', 'src/koffi/index.js', 'src/koffi/src/static.js'].map(
    (file) => join('koffi', file),
  ),
  ...['package.json', 'index.js', `linux_${process.arch}/koffi.node`].map((file) =>
    join(`@koromix/koffi-linux-${process.arch}`, file),
  ),
];

/** V8 refuses compiled code that other flags have made, so the launcher and the last step of the build share them. */
const flags = ['--max-semi-space-size=1'];
const launcher = `#!/bin/sh
# Starts the program with the flags of docs/design/footprint.md.
here=$(dirname "$(readlink -f "$0")")
export MALLOC_ARENA_MAX="\${MALLOC_ARENA_MAX:-1}"
export NODE_COMPILE_CACHE="\${NODE_COMPILE_CACHE:-$here/compiled}" NODE_COMPILE_CACHE_PORTABLE=1
exec "$here/bin/node" ${flags.join(' ')} "$here/app/bellman.js" "$@"
`;

if (existsSync(dist) && readdirSync(dist).length > 0 && !existsSync(join(dist, 'app/bellman.js'))) {
  process.stderr.write(
    `build: ${dist} is not empty and holds no build, so it is not replaced; name another folder\n`,
  );
  process.exit(1);
}
rmSync(dist, { recursive: true, force: true });
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const { metafile } = await build({
  metafile: true,
  absWorkingDir: root,
  entryPoints: {
    bellman: 'src/main.ts',
    'layer2-process': 'src/layer2/process.ts',
    'bfd-process': 'src/bfd/process.ts',
  },
  outdir: join(dist, 'app'),
  // esbuild writes paths of addons relative to the folder of the entry points, so chunks must be in the same folder.
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: 'linked',
  sourcesContent: false,
  external: ['koffi'],
  plugins: [withoutPushGateway],
  resolveExtensions: ['.ts', '.js', '.json', '.node'],
  loader: { '.node': 'copy' },
  assetNames: 'addons/[name]',
  define: { 'process.env.BELLMAN_VERSION': JSON.stringify(version) },
  banner: {
    js: "import { createRequire as createRequireOfModule } from 'node:module'; const require = createRequireOfModule(import.meta.url);",
  },
});
for (const file of koffiFiles) {
  mkdirSync(dirname(join(dist, 'app/node_modules', file)), { recursive: true });
  cpSync(join(modules, file), join(dist, 'app/node_modules', file));
}
writeFileSync(join(dist, 'app/package.json'), '{"type":"module","private":true}\n');
mkdirSync(join(dist, 'bin'));
cpSync(process.execPath, join(dist, 'bin/node'), { dereference: true });
execFileSync('strip', [join(dist, 'bin/node')]);
writeFileSync(join(dist, 'bellman'), launcher);
chmodSync(join(dist, 'bellman'), 0o755);

const entered = Object.entries(metafile.outputs).flatMap(([file, { entryPoint }]) =>
  entryPoint?.endsWith('.ts') ? [join(root, file)] : [],
);
// Node keeps the code of what it has loaded. The layer-2 process and the command line end with an error, because they get no arguments.
for (const file of entered)
  spawnSync(join(dist, 'bin/node'), [...flags, file], {
    env: { NODE_COMPILE_CACHE: join(dist, 'compiled'), NODE_COMPILE_CACHE_PORTABLE: '1' },
  });
