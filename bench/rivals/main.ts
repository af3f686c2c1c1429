/**
 * Measures Bellman beside MetalLB, and beside keepalived where it is installed, and writes the reference page with the tables.
 *   .cache/bin/node bench/rivals/main.ts [--only start,failover] [--rounds 3] [--page FILE]
 * Needs Go, the result of `make build`, and a machine that does nothing else. With --only and without --page it prints the tables and writes no page.
 * The programs in `tables/` make the tables, each in a private world of its own.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { keepalivedVersion } from './keepalived.ts';
import { buildMetalLb, goVersion, metalLbVersion } from './metallb-build.ts';
import { page, type Result } from './page.ts';
import { bellmanNode, bellmanProgram, rivalsFolder, root } from './paths.ts';

const tables = ['memory', 'start', 'failover', 'arp', 'bgp', 'size'];
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    page: { type: 'string' },
  },
});
const pagePath =
  values.page ?? (values.only === '' ? join(root, 'docs', 'reference', 'comparison.md') : undefined);

function fail(message: string): never {
  console.error(`rivals: ${message}`);
  process.exit(1);
}

const go = goVersion();
if (go === undefined) fail('Go is not installed, and MetalLB is built with it');
if (!existsSync(bellmanNode)) fail('Bellman is not built: run make build');
const chosen = values.only === '' ? tables : values.only.split(',');
const unknown = chosen.filter((name) => !tables.includes(name));
if (unknown.length > 0) fail(`no such table: ${unknown.join(', ')}; there are ${tables.join(', ')}`);
buildMetalLb();

/** Load per processor above which figures say more about the machine than about the programs. */
const quietLoad = 0.3;
const busy = (loadavg()[0] ?? 0) / cpus().length;
if (busy > quietLoad)
  console.error(`rivals: the machine is busy (load ${loadavg()[0]?.toFixed(1)}), so expect no good figures`);

mkdirSync(join(rivalsFolder, 'results'), { recursive: true });
const results = chosen.map((name): Result => {
  console.log(`\n── ${name}`);
  const out = join(rivalsFolder, 'results', `${name}.json`);
  const program = join(root, 'bench/rivals/tables', `${name}.ts`);
  const args = [process.execPath, program, '--rounds', values.rounds, '--out', out];
  const { status } = spawnSync(join(root, 'lab/world'), args, {
    stdio: 'inherit',
    env: { ...process.env, BELLMAN_PROGRAM: bellmanProgram },
  });
  if (status !== 0) fail(`the table ${name} failed`);
  return JSON.parse(readFileSync(out, 'utf8')) as Result;
});

function machine(): string {
  const all = cpus();
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${all.length} processors (${all[0]?.model ?? 'unknown'}), ${memory} GiB of memory, ${system}, Linux ${release()}.`;
}

if (pagePath !== undefined) {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: root,
    encoding: 'utf8',
  }).trim();
  const node = execFileSync(bellmanNode, ['--version'], { encoding: 'utf8' }).trim();
  const vrrp = keepalivedVersion();
  writeFileSync(
    pagePath,
    page(
      {
        command: `make rivals ROUNDS=${values.rounds}`,
        date: new Date().toISOString().slice(0, 10),
        machine: machine(),
        systems: [
          `Bellman: commit ${commit}, as \`make build\` writes it, Node ${node}.`,
          `MetalLB ${metalLbVersion}: its native BGP mode, built with ${go}, memberlist encrypted.`,
          vrrp === undefined
            ? 'keepalived: not installed, so not measured.'
            : `keepalived ${vrrp}: VRRP only.`,
        ],
      },
      results,
    ),
  );
  console.log(`\nwrote ${pagePath}`);
}
