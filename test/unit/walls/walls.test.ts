import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, matchesGlob } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const copied = ['biome.json', 'knip.json', 'lint', 'package.json', 'tsconfig.json'];
const sources = ['src', 'lab', 'scripts', 'bench', 'test'];

interface Plant {
  readonly folder: string;
  /** An existing file to which the line is added. When `file` is absent, the line becomes a new file. */
  readonly file?: string;
  readonly line: string;
  readonly says: string;
}

/** Each row plants one line in a copy of the tree. The linter must refuse the line with a message that contains `says`. */
const plants: readonly Plant[] = [
  { folder: 'src', line: "export * from './config/index.ts';", says: 'src/*.ts' },
  { folder: 'src/address', line: "export * from '../log.ts';", says: 'src/address/**' },
  { folder: 'src/linux', line: "export * from '../log.ts';", says: 'src/linux/**' },
  { folder: 'src/memory', line: "export * from '../telemetry/guard.ts';", says: 'src/memory/**' },
  { folder: 'src/link', line: "export * from '../arp/packet.ts';", says: 'src/link/**' },
  { folder: 'src/arp', line: "export * from '../clock.ts';", says: 'src/arp/**' },
  { folder: 'src/ndp', line: "export * from '../log.ts';", says: 'src/ndp/**' },
  {
    folder: 'src/bgp/codec',
    line: "export * from '../../config/index.ts';",
    says: 'src/bgp/codec/**',
  },
  { folder: 'src/bgp/codec', line: "export * from '../../clock.ts';", says: 'src/bgp/codec/**' },
  { folder: 'src/bgp/codec', line: "export * from 'node:fs';", says: 'src/bgp/codec/**' },
  { folder: 'src/bgp/fsm', line: "export * from '../speaker.ts';", says: 'src/bgp/fsm/**' },
  { folder: 'src/bgp/fsm', line: "export * from '../../clock.ts';", says: 'src/bgp/fsm/**' },
  { folder: 'src/bgp/rib', line: "export * from '../../config/index.ts';", says: 'src/bgp/rib/**' },
  {
    folder: 'src/bgp/transport',
    line: "export * from '../../config/index.ts';",
    says: 'src/bgp/transport/**',
  },
  {
    folder: 'src/bgp/session',
    line: "export * from '../../config/index.ts';",
    says: 'src/bgp/session/**',
  },
  { folder: 'src/bgp', line: "export * from '../kubernetes/model.ts';", says: 'src/bgp/*.ts' },
  { folder: 'src/config', line: "export * from '../kubernetes/model.ts';", says: 'src/config/**' },
  { folder: 'src/lint', line: "export * from '../controller/run.ts';", says: 'src/lint/**' },
  { folder: 'src/lint', line: "export * from '../clock.ts';", says: 'src/lint/**' },
  { folder: 'src/convert', line: "export * from '../kubernetes/model.ts';", says: 'src/convert/**' },
  { folder: 'src/convert/cilium', line: "export * from 'node:fs';", says: 'src/convert/**' },
  {
    folder: 'src/membership',
    line: "export * from '../layer2/messages.ts';",
    says: 'The machines of src/membership',
  },
  { folder: 'src/membership', line: "export * from '../clock.ts';", says: 'The machines of src/membership' },
  {
    folder: 'src/membership',
    file: 'node.ts',
    line: "export * from '../layer2/messages.ts';",
    says: 'The shells of src/membership',
  },
  { folder: 'src/config/text', line: "export * from '../schema/index.ts';", says: 'src/config/text/**' },
  { folder: 'src/config/schema', line: "export * from '../resolve/index.ts';", says: 'src/config/schema/**' },
  { folder: 'src/config/resolve', line: "export * from '../text/index.ts';", says: 'src/config/resolve/**' },
  {
    folder: 'src/controller/services',
    line: "export * from '../../speaker/plan/plan.ts';",
    says: 'src/controller/services/**',
  },
  {
    folder: 'src/layer2/ownership',
    line: "export * from '../../clock.ts';",
    says: 'src/layer2/ownership/**',
  },
  {
    folder: 'src/layer2/responder',
    line: "export * from '../../membership/membership.ts';",
    says: 'src/layer2/responder/**',
  },
  { folder: 'src/layer2/responder', line: "export * from 'node:https';", says: 'src/layer2/responder/**' },
  { folder: 'src/layer2', line: "export * from '../kubernetes/model.ts';", says: 'src/layer2/*.ts' },
  { folder: 'src/layer2', line: "export * from 'node:http';", says: 'src/layer2/*.ts' },
  { folder: 'src/layer2/witness', line: "export * from '../../clock.ts';", says: 'src/layer2/witness/**' },
  { folder: 'src/layer2', line: "export * from '../telemetry/http-server.ts';", says: 'src/layer2/*.ts' },
  { folder: 'src/layer2', line: "export * from '../telemetry/event-codec.ts';", says: 'src/layer2/*.ts' },
  {
    folder: 'src/kubernetes',
    line: "export * from '../speaker/run.ts';",
    says: 'src/kubernetes/**',
  },
  { folder: 'src/speaker/plan', line: "export * from '../peers/router-id.ts';", says: 'src/speaker/plan/**' },
  { folder: 'src/speaker/plan', line: "export * from '../../clock.ts';", says: 'src/speaker/plan/**' },
  { folder: 'src/cluster', line: "export * from '../speaker/plan/plan.ts';", says: 'src/cluster/**' },
  {
    folder: 'src/controller/allocator',
    line: "export * from '../../log.ts';",
    says: 'src/controller/allocator/**',
  },
  {
    folder: 'src/controller/death-judge',
    line: "export * from '../../clock.ts';",
    says: 'src/controller/death-judge/**',
  },
  {
    folder: 'src/controller',
    line: "export * from '../speaker/plan/plan.ts';",
    says: 'src/controller/*.ts',
  },
  {
    folder: 'src/speaker',
    line: "export * from '../controller/allocator/allocator.ts';",
    says: 'src/speaker/**',
  },
  {
    folder: 'src/speaker/stages',
    line: "export * from '../../controller/allocator/allocator.ts';",
    says: 'src/speaker/stages/**',
  },
  {
    folder: 'src/speaker/record',
    line: "export * from '../stages/foundation.ts';",
    says: 'src/speaker/**',
  },
  {
    folder: 'src/cli',
    line: "export * from '../controller/allocator/allocator.ts';",
    says: 'src/cli/**',
  },
  { folder: 'src/cli', line: "export * from '../page/collector.ts';", says: 'src/cli/**' },
  {
    folder: 'src/report',
    line: "export * from './read/daemon-query.ts';",
    says: 'The pure files of src/report',
  },
  {
    folder: 'src/report/status',
    line: "export * from '../../clock.ts';",
    says: 'The pure files of src/report',
  },
  {
    folder: 'src/report/explain',
    line: "export * from '../../kubernetes/client.ts';",
    says: 'The pure files of src/report',
  },
  { folder: 'src/report/read', line: "export * from '../status/problems.ts';", says: 'src/report/read/**' },
  { folder: 'src/page', line: "export * from '../controller/leader-term.ts';", says: 'src/page/*.ts' },
  { folder: 'src/page', line: "export * from '../cli/program.ts';", says: 'src/page/*.ts' },
  { folder: 'src/page/local', line: "export * from '../collector.ts';", says: 'src/page/local/**' },
  { folder: 'src/page/browser', line: "export * from '../replies.ts';", says: 'src/page/browser/**' },
  {
    folder: 'src/succession',
    file: 'predecessor.ts',
    line: "export * from '../clock.ts';",
    says: 'the codec and the machines of src/succession/',
  },
  {
    folder: 'src/succession',
    file: 'channel.ts',
    line: "export * from '../bgp/index.ts';",
    says: 'the shells of src/succession/',
  },
  {
    folder: 'src/child-process',
    line: "export * from '../layer2/messages.ts';",
    says: 'src/child-process/**',
  },
  { folder: 'src/bfd/codec', line: "export * from '../../clock.ts';", says: 'src/bfd/codec/**' },
  { folder: 'src/bfd/machine', line: "export * from '../../clock.ts';", says: 'src/bfd/machine/**' },
  { folder: 'src/bfd/machine', line: "export * from '../../random.ts';", says: 'src/bfd/machine/**' },
  { folder: 'src/bfd/transport', line: "export * from '../engine.ts';", says: 'src/bfd/transport/**' },
  { folder: 'src/bfd', line: "export * from '../bgp/index.ts';", says: 'src/bfd/*.ts' },
  { folder: 'src/bfd', line: "export * from 'node:http';", says: 'src/bfd/*.ts' },
  { folder: 'src/telemetry', line: "export * from '../bgp/index.ts';", says: 'src/telemetry/**' },
  { folder: 'src/bgp', line: 'export const at = Date.now();', says: 'Clock.epochMs()' },
  { folder: 'src/bgp', line: 'export const at = performance.now();', says: 'Clock.now()' },
  { folder: 'src/speaker', line: 'setTimeout(() => {}, 1);', says: 'Clock.after()' },
  { folder: 'src/layer2', line: 'export const dice = Math.random();', says: 'randomness' },
];

function plantedFile(row: number): string {
  const { folder, file = `planted-${row}.ts` } = plants[row] ?? { folder: '' };
  return `${folder}/${file}`;
}

function plantedText(row: number): string {
  const { file, line } = plants[row] ?? { line: '' };
  const present = file === undefined ? '' : readFileSync(join(root, plantedFile(row)), 'utf8');
  return `${present}${line}\n`;
}

describe('make check', { concurrency: false }, () => {
  let tree = '';
  before(() => {
    tree = mkdtempSync(join(tmpdir(), 'bellman-walls-'));
    for (const name of [...copied, ...sources])
      cpSync(join(root, name), join(tree, name), { recursive: true });
    writeFileSync(join(tree, '.gitignore'), 'node_modules\n');
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  });
  after(() => rmSync(tree, { recursive: true, force: true }));

  function lint(...paths: string[]): string {
    const args = ['lint', '--reporter=github', '--max-diagnostics=none', ...paths];
    const run = spawnSync(join(root, 'node_modules/.bin/biome'), args, { cwd: tree, encoding: 'utf8' });
    return run.stdout + run.stderr;
  }

  function deadExports(): string {
    const args = [join(root, 'node_modules/.bin/knip'), '--no-progress'];
    return spawnSync(process.execPath, args, { cwd: tree, encoding: 'utf8' }).stdout;
  }

  function withFiles<T>(files: Readonly<Record<string, string>>, run: () => T): T {
    const names = Object.keys(files);
    try {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(tree, name)), { recursive: true });
        writeFileSync(join(tree, name), text);
      }
      return run();
    } finally {
      for (const name of names) {
        rmSync(join(tree, name), { force: true });
        if (existsSync(join(root, name))) cpSync(join(root, name), join(tree, name));
      }
    }
  }

  test('finds no lint error in src/ as it is', () => {
    assert.doesNotMatch(lint('src'), /^::error/m);
  });

  const cycle = {
    'src/cli/planted-cycle-a.ts': "export { b } from './planted-cycle-b.ts';\nexport const a = 1;\n",
    'src/cli/planted-cycle-b.ts': "export { a } from './planted-cycle-a.ts';\nexport const b = 1;\n",
  };
  let report: readonly string[] | undefined;
  /** The linter runs once over all plants, because one run for each plant would take half a minute in total. */
  function plantedReport(): readonly string[] {
    const rows = Object.fromEntries(plants.map((_, index) => [plantedFile(index), plantedText(index)]));
    const files = { ...rows, ...cycle };
    report ??= withFiles(files, () => lint(...Object.keys(files)).split('\n'));
    return report;
  }

  function reportOf(row: number): string[] {
    return plantedReport().filter((text) => text.startsWith('::error') && text.includes(plantedFile(row)));
  }

  for (const [row, { folder, line, says }] of plants.entries())
    test(`refuses in ${folder}: ${line}`, () => {
      assert.ok(
        reportOf(row).some((text) => text.includes(says)),
        report?.join('\n'),
      );
    });

  interface Wall {
    readonly includes: readonly string[];
    /** Absent in the override about clocks and randomness, which sets a plugin instead. */
    readonly linter?: object;
  }
  const { overrides } = JSON.parse(readFileSync(join(root, 'lint/walls.json'), 'utf8')) as {
    readonly overrides: readonly Wall[];
  };
  const isInside = (file: string, { includes }: Wall) =>
    includes.some((glob) => matchesGlob(file, glob)) &&
    !includes.some((glob) => glob.startsWith('!') && matchesGlob(file, glob.slice(1)));

  test('is tested with a planted line inside each wall', () => {
    const unplanted = overrides.filter((wall) => !plants.some((_, row) => isInside(plantedFile(row), wall)));
    assert.deepEqual(unplanted, []);
  });

  test('has a wall around every file of src/ except main.ts', () => {
    const walls = overrides.filter(({ linter }) => linter !== undefined);
    const open = globSync('src/**/*.ts', { cwd: root }).filter(
      (file) => !walls.some((wall) => isInside(file, wall)),
    );
    assert.deepEqual(open, ['src/main.ts']);
  });

  test('refuses an import cycle', () => {
    assert.match(plantedReport().join('\n'), /^::error .*noImportCycles.*planted-cycle-/m);
  });

  test('refuses a dead file and a dead export, and nothing else', () => {
    const files = {
      'src/cli/planted-dead.ts': 'export const dead = 1;\n',
      'src/address/ip.ts': `${readFileSync(join(root, 'src/address/ip.ts'), 'utf8')}export const plantedDead = 1;\n`,
    };
    const found = withFiles(files, () => deadExports())
      .split('\n')
      .filter((line) => line !== '' && !/^Unused \w+ /.test(line));
    for (const planted of [/planted-dead\.ts/, /plantedDead/])
      assert.ok(
        found.some((line) => planted.test(line)),
        found.join('\n'),
      );
    assert.deepEqual(
      found.filter((line) => !/planted/i.test(line)),
      [],
    );
  });
});
