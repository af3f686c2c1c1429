import { Argument, Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { exitCodes } from './exit-codes.ts';
import {
  clusterFlag,
  daemonPortFlags,
  loadBalancerClassFlag,
  namespaceFlag,
  serviceNamespaceFlag,
} from './flags.ts';

interface StatusFlags {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly serviceNamespace?: string;
  readonly speakerPort: number;
  readonly controllerPort: number;
  readonly loadBalancerClass?: string;
  readonly output: 'text' | 'wide' | 'json' | 'yaml';
  readonly problems: boolean;
}

/**
 * `bellman status`: prints the state of the cluster as the API server and the daemons report it. Exit codes: 0 when everything is as
 * desired, 1 when something is not, 2 when the API server could not be reached. An example of code 1 is an address that should be
 * announced and is not. A session that is down while another node announces the same addresses does not change the code. With `--problems`,
 * the code is 1 when any problem is printed.
 */
export function statusCommand(): Command {
  return new Command('status')
    .description(
      'print the configuration, pools, addresses with the nodes that announce them, BGP sessions, and members',
    )
    .addArgument(
      new Argument('[service]', 'show only this Service: namespace/name, name, or one of its addresses'),
    )
    .addOption(clusterFlag())
    .addOption(namespaceFlag())
    .addOption(serviceNamespaceFlag('show only Services of this namespace'))
    .addOption(daemonPortFlags.speaker())
    .addOption(daemonPortFlags.controller())
    .addOption(loadBalancerClassFlag('class that the daemons serve'))
    .addOption(
      new Option('-o, --output <format>', 'format; wide adds columns')
        .choices(['text', 'wide', 'json', 'yaml'])
        .default('text'),
    )
    .addOption(
      new Option(
        '--problems',
        'print only what is wrong, one line each, and the warnings about the configuration',
      ).default(false),
    )
    .action(
      async (service: string | undefined, { output, problems, serviceNamespace, ...source }: StatusFlags) => {
        const { runStatus } = await import('./status/run.ts');
        const { text, healthy } = await runStatus({
          ...{ service, serviceNamespace, output, problems },
          source: { ...source, clock: systemClock },
        });
        process.stdout.write(text);
        process.exitCode = healthy ? exitCodes.success : exitCodes.negative;
      },
    );
}
