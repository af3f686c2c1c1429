/**
 * Measures Bellman beside MetalLB, and beside keepalived where it is installed, and writes the reference page with the tables.
 *   .cache/bin/node bench/rivals/main.ts [--only start,failover] [--rounds 3] [--page FILE]
 * Needs Go, the result of `make build`, and a machine that does nothing else. The programs in `tables/` make the tables, each in a private
 * world of its own. Results stay in `.cache/rivals`, so a table that failed can be repeated alone. The page is written as soon as there is a result
 * for every table, measured with this number of rounds and with the last commit that changed the program.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { keepalivedVersion } from './keepalived.ts';
import { page, type Result } from './page.ts';
import { bellmanNode, bellmanProgram, metalLbVersion, rivalsFolder, root } from './paths.ts';

const tables = [
  'memory',
  'start',
  'failover',
  'arp',
  'bgp',
  'silent-router',
  'senders',
  'controller',
  'allocator',
  'size',
];
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    page: { type: 'string', default: join(root, 'docs', 'reference', 'comparison.md') },
  },
});

function fail(message: string): never {
  console.error(`rivals: ${message}`);
  process.exit(1);
}

if (!existsSync(bellmanNode)) fail('Bellman is not built: run make build');
const chosen = values.only === '' ? tables : values.only.split(',');
const unknown = chosen.filter((name) => !tables.includes(name));
if (unknown.length > 0) fail(`no such table: ${unknown.join(', ')}; there are ${tables.join(', ')}`);
const built = spawnSync(join(root, 'lab/metallb/build.sh'), [metalLbVersion], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
});
if (built.status !== 0) fail(`MetalLB ${metalLbVersion} cannot be built (see above)`);
const metalLbFolder = dirname(built.stdout.trim());
if (chosen.includes('allocator')) {
  const build = join(root, 'bench/rivals/allocators/build.sh');
  const { status } = spawnSync(build, [metalLbVersion, rivalsFolder], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) fail(`MetalLB's allocator cannot be built (see above)`);
}

/** Load per processor above which figures say more about the machine than about the programs. */
const quietLoad = 0.3;
const busy = (loadavg()[0] ?? 0) / cpus().length;
if (busy > quietLoad)
  console.error(`rivals: the machine is busy (load ${loadavg()[0]?.toFixed(1)}), so expect no good figures`);

/** A result, with the commit and the number of rounds that it was measured with. */
interface Stored extends Result {
  readonly commit: string;
  readonly rounds: string;
}

const { rounds } = values;
const git = (...args: readonly string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
/** The inputs of `make build`. After a change elsewhere, even in the benches, the stored results still count. */
const programParts = ['src', 'scripts', 'package.json', 'package-lock.json'];
const isChanged = git('status', '--porcelain', '--', ...programParts) !== '';
const commit = `${git('log', '-1', '--format=%h', '--', ...programParts)}${isChanged ? '-dirty' : ''}`;
const fileOf = (name: string) => join(rivalsFolder, 'results', `${name}.json`);
mkdirSync(join(rivalsFolder, 'results'), { recursive: true });

/** Runs the program of a table and stores its result. */
function measure(name: string): void {
  console.log(`\n── ${name}`);
  const out = fileOf(name);
  const program = join(root, 'bench/rivals/tables', `${name}.ts`);
  const args = [process.execPath, program, '--rounds', rounds, '--out', out];
  rmSync(out, { force: true });
  const { status } = spawnSync(join(root, 'lab/world'), args, {
    stdio: 'inherit',
    env: { ...process.env, BELLMAN_PROGRAM: bellmanProgram, BELLMAN_METALLB: metalLbFolder },
  });
  if (status === 0 && existsSync(out)) {
    const result = JSON.parse(readFileSync(out, 'utf8')) as Result;
    writeFileSync(out, JSON.stringify({ ...result, commit, rounds } satisfies Stored));
    return;
  }
  rmSync(out, { force: true });
  console.error(`rivals: the table ${name} failed`);
  process.exitCode = 1;
}

/**
 * The stored result of a table, unless it is of another commit or another number of rounds. With uncommitted changes, only results of this run count,
 * because an earlier run may have measured other changes.
 */
function stored(name: string): Stored | undefined {
  if (!existsSync(fileOf(name)) || (isChanged && !chosen.includes(name))) return undefined;
  const result = JSON.parse(readFileSync(fileOf(name), 'utf8')) as Stored;
  return result.commit === commit && result.rounds === rounds ? result : undefined;
}

function machine(): string {
  const all = cpus();
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${all.length} processors (${all[0]?.model ?? 'unknown'}), ${memory} GiB of memory, ${system}, Linux ${release().split('-')[0]}.`;
}

function systems(): string[] {
  const vrrp = keepalivedVersion();
  const run = (program: string, ...args: readonly string[]) =>
    execFileSync(program, args, { encoding: 'utf8' }).trim();
  const node = run(bellmanNode, '--version');
  const go = run(run(join(root, 'scripts/go.sh')), 'env', 'GOVERSION');
  return [
    `Bellman: commit ${commit}, as \`make build\` writes it, Node ${node}.`,
    `MetalLB ${metalLbVersion}: its native BGP mode, built with ${go}, memberlist encrypted.`,
    vrrp === undefined ? 'keepalived: not installed, so not measured.' : `keepalived ${vrrp}: VRRP only.`,
  ];
}

for (const name of chosen) measure(name);
const missing = tables.filter((name) => stored(name) === undefined);
if (missing.length > 0) {
  console.log(`\nno page yet: ${missing.join(', ')} not measured with commit ${commit} and ${rounds} rounds`);
} else {
  const circumstances = {
    command: `make rivals ROUNDS=${rounds}`,
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    systems: systems(),
  };
  const results = tables.flatMap((name) => stored(name) ?? []);
  writeFileSync(values.page, page(circumstances, results));
  console.log(`\nwrote ${values.page}`);
}
