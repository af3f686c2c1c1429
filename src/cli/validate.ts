import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { systemClock } from '../clock.ts';
import { daemonPortFlags, kubeconfigFlag, loadBalancerClassFlag, namespaceFlag } from './flags.ts';
import type { ValidateIo } from './validate-files.ts';

interface ValidateFlags {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly speakerPort: number;
  readonly controllerPort: number;
  readonly loadBalancerClass?: string;
}

/**
 * `bellman validate`: judges configuration files with the controller's own gate. With a kubeconfig it also reports assigned addresses
 * that a file would orphan, mistakes that only the cluster shows, and the effects of the edit. Exit codes: 0 when all files are valid, 1 when a
 * file is not valid, 2 when a file could not be read or the command could not run.
 */
export function validateCommand(): Command {
  return new Command('validate')
    .description('check configuration files as the controller does')
    .argument('<file...>', 'YAML of the configuration or of its ConfigMap; - for standard input')
    .addOption(
      kubeconfigFlag(
        'kubeconfig of a cluster; with it, also report assigned addresses that a file would orphan, what matches nothing in the cluster, and what the edit would do',
      ),
    )
    .addOption(namespaceFlag())
    .addOption(daemonPortFlags.speaker())
    .addOption(daemonPortFlags.controller())
    .addOption(loadBalancerClassFlag('class that the daemons serve'))
    .action(async (files: string[], flags: ValidateFlags) => {
      const { runValidate } = await import('./validate-files.ts');
      process.exitCode = await runValidate(files, {
        stdin: () => text(process.stdin),
        readFile: (path) => readFile(path, 'utf8'),
        stdout: (line) => void process.stdout.write(line),
        stderr: (line) => void process.stderr.write(line),
        ...(flags.kubeconfig === undefined ? {} : await clusterJudge(flags)),
      });
    });
}

async function clusterJudge(flags: ValidateFlags): Promise<Pick<ValidateIo, 'assigned' | 'judgeInCluster'>> {
  const { addressesIn, isAssignedByUs } = await import('./assigned-addresses.ts');
  const { collectEdited } = await import('./lint/collect.ts');
  const { affinityWarnings } = await import('./lint/affinity.ts');
  const { lintCluster } = await import('../lint/cluster.ts');
  const { editEffects } = await import('./lint/edit.ts');
  const { linted, facts, accepted } = await collectEdited({ ...flags, clock: systemClock });
  return {
    assigned: addressesIn(facts.services, isAssignedByUs),
    judgeInCluster: (config) => ({
      warnings: [...lintCluster(config, linted), ...affinityWarnings(config, facts)],
      effects: accepted
        ? editEffects(accepted.config, config, facts)
        : ['no configuration is in force yet, so nothing is compared'],
    }),
  };
}
