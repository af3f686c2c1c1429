import { Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { exitCodes } from './exit-codes.ts';
import { defaultHttpPort, kubeconfigFlag, loadBalancerClassFlag, namespaceFlag, parsePort } from './flags.ts';

interface StatusFlags {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly speakerPort: number;
  readonly controllerPort: number;
  readonly loadBalancerClass?: string;
}

/**
 * `bellman status`: prints the state of the cluster as the API server and the daemons report it. Exit codes: 0 when everything is as
 * desired, 1 when something is not, 2 when the API server could not be reached. An example of code 1 is an address that should be
 * announced and is not.
 */
export function statusCommand(): Command {
  return new Command('status')
    .description(
      'print the configuration, pools, addresses with the nodes that announce them, BGP sessions, and members',
    )
    .addOption(kubeconfigFlag('kubeconfig of the API server').env('KUBECONFIG'))
    .addOption(namespaceFlag())
    .addOption(
      new Option('--speaker-port <port>', 'TCP port on which speakers serve /status on their nodes')
        .argParser(parsePort)
        .default(defaultHttpPort.speaker),
    )
    .addOption(
      new Option('--controller-port <port>', 'TCP port on which the controller serves /status in its Pod')
        .argParser(parsePort)
        .default(defaultHttpPort.controller),
    )
    .addOption(loadBalancerClassFlag('class that the daemons serve'))
    .action(async (flags: StatusFlags) => {
      const { collectStatus } = await import('./status/collect.ts');
      const { statusReport } = await import('./status/report.ts');
      const { text, healthy } = statusReport(await collectStatus({ ...flags, clock: systemClock }));
      process.stdout.write(text);
      process.exitCode = healthy ? exitCodes.success : exitCodes.negative;
    });
}
