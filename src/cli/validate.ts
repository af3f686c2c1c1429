import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { kubeconfigFlag } from './flags.ts';

interface ValidateFlags {
  readonly kubeconfig?: string;
}

/**
 * `bellman validate`: judges configuration files with the controller's own gate. With a kubeconfig it also reports assigned addresses
 * that a file would orphan. Exit codes: 0 when all files are valid, 1 when a file is not valid, 2 when the command could not run.
 */
export function validateCommand(): Command {
  return new Command('validate')
    .description('check configuration files as the controller does')
    .argument('<file...>', 'YAML of the configuration or of its ConfigMap; - for standard input')
    .addOption(kubeconfigFlag('also report assigned addresses that a file would orphan'))
    .action(async (files: string[], { kubeconfig }: ValidateFlags) => {
      const { runValidate } = await import('./validate-files.ts');
      const { assignedAddresses } = await import('./assigned-addresses.ts');
      process.exitCode = await runValidate(files, {
        stdin: () => text(process.stdin),
        readFile: (path) => readFile(path, 'utf8'),
        stdout: (line) => void process.stdout.write(line),
        stderr: (line) => void process.stderr.write(line),
        ...(kubeconfig === undefined ? {} : { assigned: await assignedAddresses(kubeconfig) }),
      });
    });
}
