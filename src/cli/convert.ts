import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { Command, Option } from 'commander';
import { type SourceName, sourceNames } from '../convert/source.ts';
import { kubeconfigFlag } from './flags.ts';

interface ConvertFlags {
  readonly from: SourceName | 'auto';
  readonly file?: readonly string[];
  readonly kubeconfig?: string;
  readonly strict: boolean;
}

/**
 * `bellman convert`: converts the configuration of another program to one ConfigMap. The ConfigMap goes to standard output, and the table
 * of all fields to standard error. Exit codes: 0 when the ConfigMap was written and its pools hold every address in use, 1 when an address
 * in use is in none of its pools or `--strict` found a field that is not carried, 2 when the source could not be read or converted.
 */
export function convertCommand(): Command {
  return new Command('convert')
    .description(
      'convert the configuration of another program to one ConfigMap, and print what became of each field',
    )
    .addOption(
      new Option(
        '--from <program>',
        'program whose configuration to convert; auto finds it by the kinds of the objects',
      )
        .choices(['auto', ...sourceNames])
        .default('auto'),
    )
    .addOption(new Option('-f, --file <file...>', 'manifests of the objects; - for standard input'))
    .addOption(
      kubeconfigFlag(
        'kubeconfig of the cluster; its objects are read when no file is given, and every address that one of its Services holds must lie in a converted pool',
      ),
    )
    .addOption(new Option('--strict', 'print no ConfigMap when a field is not carried').default(false))
    .action(async ({ from, file = [], kubeconfig, strict }: ConvertFlags) => {
      const { runConvert } = await import('./convert-objects.ts');
      const { readCluster } = await import('./convert-cluster.ts');
      process.exitCode = await runConvert(
        { from, files: file, strict, usesCluster: kubeconfig !== undefined },
        {
          stdin: () => text(process.stdin),
          readFile: (path) => readFile(path, 'utf8'),
          stdout: (line) => void process.stdout.write(line),
          stderr: (line) => void process.stderr.write(line),
          readCluster: (wanted) => readCluster(kubeconfig ?? '', wanted),
        },
      );
    });
}
