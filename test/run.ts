/**
 * Runs test files that need a network, each in its own private world (see `lab/world`), a few at a time.
 *   node test/run.ts [--jobs N] [--timeout-seconds N] FILE…
 * Prints the report of each file when it ends. At the end it prints the failures again, and a summary. Exits with 0 only if every file passed.
 * The files that took longest the last time run first, so that no long file is left alone at the end. A file without a known time counts as long.
 * Times with the programs of Kubernetes are kept apart.
 */

import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

interface Report {
  readonly file: string;
  readonly ok: boolean;
  readonly seconds: number;
  readonly counts: ReadonlyMap<string, number>;
  /** Names and errors of the tests that failed, as Node's reporter prints them at the end. */
  readonly failures: string;
}

/**
 * At the end, the failures of each file are printed again, because a CI system shows the end of the output. At most this many lines are printed for
 * each file: the error comes first, and the lines beyond this limit are mostly the log of a lab.
 */
const maxFailureLines = 40;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    // A file waits most of the time: for timers, for routers, for its own processes.
    jobs: { type: 'string', default: String(3 * availableParallelism() + 1) },
    'timeout-seconds': { type: 'string', default: '1800' },
  },
});
const world = fileURLToPath(new URL('../lab/world', import.meta.url));
/** A file that takes minutes with the programs of Kubernetes may take seconds without them. */
const durationsName = process.env.BELLMAN_KUBERNETES ? 'test-durations-kubernetes' : 'test-durations';
const durationsFile = fileURLToPath(new URL(`../.cache/${durationsName}.json`, import.meta.url));
const running = new Set<() => void>();

/** Seconds that each file took the last time. */
function readDurations(): Readonly<Record<string, number>> {
  try {
    return JSON.parse(readFileSync(durationsFile, 'utf8')) as Record<string, number>;
  } catch {
    // The first run, or a file that another run is just writing.
    return {};
  }
}

function writeDurations(reports: readonly Report[]): void {
  const now = Object.fromEntries(reports.map(({ file, seconds }) => [file, Math.round(seconds)]));
  mkdirSync(dirname(durationsFile), { recursive: true });
  writeFileSync(durationsFile, `${JSON.stringify({ ...readDurations(), ...now }, null, 2)}\n`);
}

async function runFile(file: string): Promise<Report> {
  const started = performance.now();
  const args = [process.execPath, '--test', '--test-reporter=spec', file];
  const child = spawn(world, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const kill = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // The process has already ended.
    }
  };
  running.add(kill);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  const limit = setTimeout(() => {
    output += `\nkilled: the file exceeded the time limit of ${values['timeout-seconds']} s\n`;
    kill();
  }, Number(values['timeout-seconds']) * 1000);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearTimeout(limit);
  running.delete(kill);
  const seconds = (performance.now() - started) / 1000;
  const counts = new Map<string, number>();
  for (const [, name, count] of output.matchAll(/^ℹ (tests|pass|fail|skipped|cancelled) (\d+)$/gm))
    if (name !== undefined) counts.set(name, Number(count));
  // The reporter counts no tests of a suite that is skipped as a whole.
  const hasTests = (counts.get('tests') ?? 0) > 0 || /^﹣ /m.test(output);
  const ok = code === 0 && hasTests;
  process.stdout.write(
    `\n── ${basename(file)} ${ok ? 'passed' : 'FAILED'} in ${seconds.toFixed(1)} s\n${output}`,
  );
  const [, failures = output] = output.split('\n✖ failing tests:\n');
  return { file, ok, seconds, counts, failures };
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    for (const kill of running) kill();
    process.exit(130);
  });

const durations = readDurations();
const duration = (file: string) => durations[file] ?? Number.MAX_SAFE_INTEGER;
const waiting = positionals.toSorted((a, b) => duration(b) - duration(a));
const reports: Report[] = [];
await Promise.all(
  Array.from({ length: Math.max(1, Number(values.jobs)) }, async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift())
      reports.push(await runFile(file));
  }),
);
writeDurations(reports);
const sum = (name: string) => reports.reduce((total, { counts }) => total + (counts.get(name) ?? 0), 0);
const failed = reports.filter(({ ok }) => !ok);
for (const { file, failures } of failed)
  console.log(`\n── failures of ${file}\n${failures.split('\n').slice(0, maxFailureLines).join('\n')}`);
console.log(`\n── ${reports.length} files`);
for (const { file, ok, seconds, counts } of reports)
  console.log(
    `${ok ? '✔' : '✖'} ${file}: ${counts.get('pass') ?? 0}/${counts.get('tests') ?? 0} in ${seconds.toFixed(1)} s`,
  );
console.log(
  `tests ${sum('tests')}, pass ${sum('pass')}, fail ${sum('fail')}, skipped ${sum('skipped')}, cancelled ${sum('cancelled')}`,
);
process.exitCode = failed.length === 0 && reports.length > 0 ? 0 : 1;
