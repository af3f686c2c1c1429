import { Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { exitCodes } from './exit-codes.ts';
import { clusterFlag, daemonPortFlags, loadBalancerClassFlag, namespaceFlag } from './flags.ts';

interface CollectFlags {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly speakerPort: number;
  readonly controllerPort: number;
  readonly loadBalancerClass?: string;
  readonly output: string;
}

/**
 * `bellman collect`: writes a bundle for a bug report, without secrets. Exit codes: 0 when the bundle was written, even if it names processes that
 * were not reached; 2 when the API server could not be reached or the file could not be written.
 */
export function collectCommand(version: string): Command {
  return new Command('collect')
    .description(
      'write a tar.gz for a bug report: configuration, status, explanations of all problems, recorded events and metrics, without passwords',
    )
    .addOption(clusterFlag())
    .addOption(namespaceFlag())
    .addOption(daemonPortFlags.speaker())
    .addOption(daemonPortFlags.controller())
    .addOption(loadBalancerClassFlag('class that the daemons serve'))
    .addOption(new Option('-o, --output <file>', 'file to write; - for standard output').default('-'))
    .action(async ({ output, ...source }: CollectFlags) => {
      if (output === '-' && process.stdout.isTTY) {
        process.stderr.write(
          'bellman: standard output is a terminal; give -o FILE, or redirect it to a file\n',
        );
        process.exitCode = exitCodes.failed;
        return;
      }
      const { writeBundle } = await import('./collect/write.ts');
      await writeBundle({ ...source, clock: systemClock }, { output, version });
    });
}
