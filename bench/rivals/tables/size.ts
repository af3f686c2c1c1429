/**
 * Size on disk of what each system needs on a node.
 *   .cache/bin/node bench/rivals/tables/size.ts [--out FILE]
 */
import { lstatSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { metalLbPrograms } from '../../../lab/metallb/programs.ts';
import { format } from '../figures.ts';
import { bellmanNode, bellmanProgram, metalLbVersion } from '../paths.ts';
import { runTable } from '../run.ts';

function octetsOf(path: string): number {
  const status = lstatSync(path);
  if (!status.isDirectory()) return status.size;
  return readdirSync(path).reduce((sum, name) => sum + octetsOf(join(path, name)), 0);
}

const metalLb = metalLbPrograms(metalLbVersion);

await runTable({}, async () => {
  const mb = (...paths: readonly string[]) =>
    format(paths.reduce((sum, path) => sum + octetsOf(path), 0) / 1e6);
  // The folder also holds the output of `make image`, so only the parts of the program are counted.
  const bellmanFiles = ['app', 'bin', 'bellman', 'compiled'].map((name) =>
    join(dirname(bellmanProgram), name),
  );
  return {
    title: 'Size on disk',
    about: [
      'Without the base image. Both systems also need the C library, except where a program is static.',
    ],
    head: ['MB', 'Bellman', 'MetalLB'],
    rows: [
      ['controller and speaker', mb(...bellmanFiles), mb(metalLb.controller, metalLb.speaker)],
      ['of which controller', 'the same files', mb(metalLb.controller)],
      ['of which speaker', 'the same files', mb(metalLb.speaker)],
      ['of which the language runtime', mb(bellmanNode), 'in each program'],
    ],
  };
});
