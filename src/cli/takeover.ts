import { Argument, Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { exitCodes } from './exit-codes.ts';
import { clusterFlag, daemonPortFlags, loadBalancerClassFlag, namespaceFlag } from './flags.ts';

interface TakeoverFlags {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly metallbNamespace: string;
  readonly speakerPort: number;
  readonly controllerPort: number;
  readonly loadBalancerClass?: string;
  readonly output: 'text' | 'json';
}

/**
 * `bellman takeover status`: says how far the change from MetalLB to Bellman has progressed, and prints the next command and the command that undoes
 * it. It only reads. Exit codes: 0 when the next command may be run, or nothing is left to do; 1 when something must be waited for or repaired first;
 * 2 when the API server could not be reached, or the user may not read the Pods, Deployments or DaemonSets of MetalLB.
 */
export function takeoverCommand(): Command {
  return new Command('takeover')
    .description(
      'change from MetalLB to Bellman: print which of them announces what, the next command, and the command that undoes it',
    )
    .addArgument(new Argument('<action>', 'what to do').choices(['status']))
    .addOption(clusterFlag())
    .addOption(namespaceFlag())
    .addOption(new Option('--metallb-namespace <name>', 'namespace of MetalLB').default('metallb-system'))
    .addOption(daemonPortFlags.speaker())
    .addOption(daemonPortFlags.controller())
    .addOption(loadBalancerClassFlag('class that the daemons serve'))
    .addOption(new Option('-o, --output <format>', 'format').choices(['text', 'json']).default('text'))
    .action(async (_action: 'status', { metallbNamespace, output, ...source }: TakeoverFlags) => {
      const { takeoverStatus } = await import('./takeover/run.ts');
      const { text, mayGoOn } = await takeoverStatus({
        output,
        metalLbNamespace: metallbNamespace,
        source: { ...source, clock: systemClock },
      });
      process.stdout.write(text);
      process.exitCode = mayGoOn ? exitCodes.success : exitCodes.negative;
    });
}
