/**
 * Writes the program to `dist/`, as it is shipped: bundles without unused code, their source maps, the addons, and the Node binary.
 * `dist/` needs only the C and C++ libraries and libpcap of Debian.
 *   node scripts/build.ts [--arch amd64|arm64] [--root ROOT] [DIRECTORY]
 * Replaces an earlier build. Refuses a folder that has files but no build. Without `--arch`, the architecture is this machine's. A build for another
 * architecture needs `--root`, and the programs and packages that `scripts/image/main.ts` installs for it. With `--root`, DIRECTORY is a path below
 * ROOT, and the program has to run with ROOT as its root directory. The build itself runs the program with this root, to fill `dist/compiled/`.
 *
 *   dist/bellman               starts the program with the flags and variables of docs/design/footprint.md (scripts/launcher.c)
 *   dist/app/speaker.js        `bellman speaker`
 *   dist/app/controller.js     `bellman controller`
 *   dist/app/bellman.js        all other commands
 *   dist/app/layer2-process.js the layer-2 process
 *   dist/app/bfd-process.js    the BFD process
 *   dist/app/page-process.js   the process that collects the data of the web page
 *   dist/app/kubeconfig.js     the reader of kubeconfigs that need @kubernetes/client-node. The other programs load this file on demand
 *   dist/app/browser/          the files of the web page, as they are in src/page/browser/
 *   dist/compiled/             the code of all programs as V8 compiled it, so that no start compiles it again
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type BuildResult, build, type Plugin } from 'esbuild';
import { nodeFlags } from './node-flags.ts';
import { modulesFolder, root, runner, targetNamed, tool } from './target.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { arch: { type: 'string', default: process.arch }, root: { type: 'string' } },
});
const target = targetNamed(values.arch);
/** Where the program is when it runs. V8's compiled code contains this path. */
const home = resolve(positionals[0] ?? join(root, 'dist'));
const dist = values.root === undefined ? home : join(values.root, home);
const modules = modulesFolder(target);
/**
 * The start of a command line that runs a program of the target, such as `chroot ROOT`. It is empty for a build without `--root`. `runner` throws
 * when a build for another architecture lacks `--root`. The call stands before the code that removes an earlier build.
 */
const before = runner(target, values.root);

/**
 * The parts of prom-client that Bellman does not use. A bundler keeps them, because CommonJS modules have no static exports. The push gateway
 * loads Node's HTTP, which costs the layer-2 process 5 MB. The default metrics load @opentelemetry/api, and a summary loads tdigest. These
 * two cost 1.4 MB in each process that has metrics.
 */
const unusedOfPromClient = /^\.\/lib\/(pushgateway|defaultMetrics|summary)$/;
const withoutUnusedMetrics: Plugin = {
  name: 'without-unused-metrics',
  setup(builder) {
    builder.onResolve({ filter: unusedOfPromClient }, ({ path, importer }) =>
      importer.includes('/prom-client/') ? { path, namespace: 'empty' } : undefined,
    );
    builder.onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'module.exports = undefined' }));
  },
};

/** The JavaScript comes from the npm packages of this machine, and the addons from those of the target architecture. */
const addonsOfTarget: Plugin = {
  name: 'addons-of-target',
  setup(builder) {
    builder.onLoad({ filter: /\.node$/ }, ({ path }) => ({
      contents: readFileSync(path.replace(join(root, 'node_modules'), modules)),
      loader: 'copy',
    }));
  },
};

/**
 * An ES import of a module of Node reads every export, and so loads the parts that Node otherwise loads on demand. `node:http` then loads
 * undici, which takes 6.5 MB in each process. `require` does not load these parts.
 */
const requiredBuiltins: Plugin = {
  name: 'required-builtins',
  setup(builder) {
    builder.onResolve({ filter: /.*/ }, ({ path, kind }) =>
      kind === 'import-statement' && isBuiltin(path) ? { path, namespace: 'builtin' } : undefined,
    );
    builder.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)})`,
    }));
  },
};

/** Only some kubeconfigs need @kubernetes/client-node, the largest package. So it lies in one file, which all programs load on demand. */
const sharedKubeconfig: Plugin = {
  name: 'shared-kubeconfig',
  setup(builder) {
    builder.onResolve({ filter: /\/credentials\/kubeconfig\.ts$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './kubeconfig.js', external: true } : undefined,
    );
  },
};

/** koffi finds its addon by paths that a bundler cannot follow. */
const koffiFiles = [
  ...['package.json', 'index.js', 'LICENSE.txt', 'src/koffi/index.js', 'src/koffi/src/static.js'].map(
    (file) => join('koffi', file),
  ),
  ...['package.json', 'index.js', `linux_${target.arch}/koffi.node`].map((file) =>
    join(`@koromix/koffi-linux-${target.arch}`, file),
  ),
];

/** The user of the controller in its Pod: `runAsUser` in manifests/controller.yaml, and the user of the image. */
const controllerUser = 65532;

/** `make image` writes to this folder below `dist/`. The build does not delete the folder. */
const imageFolder = 'image';
const isForeign = (entry: string) => entry !== imageFolder;
if (existsSync(dist) && readdirSync(dist).some(isForeign) && !existsSync(join(dist, 'app/bellman.js'))) {
  process.stderr.write(
    `build: ${dist} is not empty and holds no build, so it is not replaced; name another folder\n`,
  );
  process.exit(1);
}
for (const part of ['app', 'bin', 'bellman', 'compiled'])
  rmSync(join(dist, part), { recursive: true, force: true });
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
// The source maps and the names of chunks depend on the relative path from the bundles to the sources, but must not depend on DIRECTORY. So esbuild
// always writes to a folder beside `dist/` first. From there, the path to the sources is the same as from `dist/`.
const bundles = mkdtempSync(join(root, '.bundles-'));
// Removes the folder after an error too.
process.on('exit', () => rmSync(bundles, { recursive: true, force: true }));
/** The names in `dist/app/` and their sources. */
const entryPoints: Readonly<Record<string, string>> = {
  bellman: 'src/main.ts',
  speaker: 'src/cli/speaker-main.ts',
  controller: 'src/cli/controller-main.ts',
  'layer2-process': 'src/layer2/process.ts',
  'bfd-process': 'src/bfd/process.ts',
  'page-process': 'src/page/process.ts',
  kubeconfig: 'src/kubernetes/credentials/kubeconfig.ts',
};

/**
 * Bundles one program. If the programs were bundled together, each program would consist of many small files that it shares with the others. Node
 * would need a quarter of the CPU time of a start to find and link these files.
 */
function bundle(name: string, source: string): Promise<BuildResult<{ metafile: true }>> {
  return build({
    metafile: true,
    absWorkingDir: root,
    entryPoints: { [name]: source },
    outdir: join(bundles, 'app'),
    // esbuild writes paths of addons relative to the folder of the entry points, so chunks must be in the same folder.
    chunkNames: '[name]-[hash]',
    bundle: true,
    // Code that is imported on demand gets a file of its own.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: 'linked',
    sourcesContent: false,
    external: ['koffi'],
    plugins: [sharedKubeconfig, withoutUnusedMetrics, addonsOfTarget, requiredBuiltins],
    resolveExtensions: ['.ts', '.js', '.json', '.node'],
    assetNames: 'addons/[name]',
    define: {
      'process.env.BELLMAN_VERSION': JSON.stringify(version),
      'process.env.BELLMAN_PLUGIN': JSON.stringify(readFileSync(join(root, 'bin/kubectl-bellman'), 'utf8')),
    },
    banner: {
      js: "import { createRequire as createRequireOfModule } from 'node:module'; const require = createRequireOfModule(import.meta.url);",
    },
  });
}

const built = await Promise.all(Object.entries(entryPoints).map(([name, source]) => bundle(name, source)));
cpSync(join(bundles, 'app'), join(dist, 'app'), { recursive: true });
cpSync(join(root, 'src/page/browser'), join(dist, 'app/browser'), {
  recursive: true,
  filter: (file) => !file.endsWith('.json'),
});
for (const file of koffiFiles) {
  mkdirSync(dirname(join(dist, 'app/node_modules', file)), { recursive: true });
  cpSync(join(modules, file), join(dist, 'app/node_modules', file));
}
writeFileSync(join(dist, 'app/package.json'), '{"type":"module","private":true}\n');
mkdirSync(join(dist, 'bin'));
cpSync(join(modules, `node-linux-${target.arch}/bin/node`), join(dist, 'bin/node'));
execFileSync(tool(target, 'strip'), [join(dist, 'bin/node')]);
execFileSync(tool(target, 'gcc'), [
  ...['-Wall', '-Werror', '-O2', '-s', '-D_GNU_SOURCE'],
  `-DFLAGS=${nodeFlags.map((flag) => `${JSON.stringify(flag)},`).join('')}`,
  ...['-o', join(dist, 'bellman'), join(root, 'scripts/launcher.c')],
]);

const entered = new Set(
  built.flatMap(({ metafile }) =>
    Object.entries(metafile.outputs).flatMap(([file, { entryPoint }]) =>
      entryPoint?.endsWith('.ts') ? [relative(bundles, join(root, file))] : [],
    ),
  ),
);
// Node runs each of these files once: the programs, and the code that they import on demand. Node then writes to `dist/compiled/` the compiled code
// of the modules that it has loaded. Some of the runs end with an error, because they get no arguments. The fixed seed makes V8 write the same code
// in every build. The program does not need the same seed when it starts.
const [command = '', ...options] = [...before, join(home, 'bin/node'), ...[...nodeFlags, '--random-seed=1']];
for (const file of entered) {
  const { error, signal, status, stderr } = spawnSync(command, [...options, join(home, file)], {
    encoding: 'utf8',
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      NODE_COMPILE_CACHE: join(home, 'compiled'),
      NODE_COMPILE_CACHE_PORTABLE: '1',
    },
  });
  // Node writes no compiled code when a signal ends it. From 125 on, the exit code is that of chroot, which could not start Node.
  if (error || signal !== null || (status ?? 0) >= 125)
    throw new Error(`${file} did not run: ${error?.message ?? signal ?? `exit code ${status}`}\n${stderr}`);
}
// Node puts the number of the user into the name of the folder, and lets only this user read the files. The speaker runs as root, the controller as
// another user, and a developer as a third. So all users may read the files of root's folder, and links with the other numbers lead to it.
const folders = existsSync(join(dist, 'compiled')) ? readdirSync(join(dist, 'compiled')) : [];
if (folders.length === 0) throw new Error(`${command} wrote no compiled code: does ${dist}/bin/node run?`);
for (const folder of folders) {
  const shared = folder.replace(/-\d+$/, '-0');
  if (shared !== folder) renameSync(join(dist, 'compiled', folder), join(dist, 'compiled', shared));
  for (const file of readdirSync(join(dist, 'compiled', shared)))
    chmodSync(join(dist, 'compiled', shared, file), 0o644);
  for (const user of new Set([controllerUser, process.getuid?.() ?? 0]))
    if (user !== 0) symlinkSync(shared, join(dist, 'compiled', shared.replace(/-0$/, `-${user}`)));
}
