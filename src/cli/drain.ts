import { Argument, Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { exitCodes } from './exit-codes.ts';
import { clusterFlag, daemonPortFlags, namespaceFlag, parseSeconds } from './flags.ts';

interface DrainFlags {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly reason: string;
  readonly wait: boolean;
  readonly timeout: number;
  readonly speakerPort: number;
}

const nodeArgument = () => new Argument('<node>', 'name of the Node object');

/**
 * `bellman drain`: makes a node leave, by an annotation of its Node object. The user needs the right to patch Nodes. Exit codes: 0 when the
 * annotation is written and, with `--wait`, the node announces nothing; 1 when the timeout passes first; 2 when the annotation could not be written.
 */
export function drainCommand(): Command {
  return new Command('drain')
    .description('make a node leave: other nodes announce its addresses, then it stops announcing')
    .addArgument(nodeArgument())
    .addOption(clusterFlag())
    .addOption(namespaceFlag())
    .addOption(
      new Option('--reason <text>', 'why the node leaves, for people to read').default('bellman drain'),
    )
    .addOption(new Option('--wait', 'wait until the node announces nothing').default(false))
    .addOption(new Option('--timeout <seconds>', 'longest time to wait').argParser(parseSeconds).default(120))
    .addOption(daemonPortFlags.speaker())
    .action(async (node: string, { timeout, ...flags }: DrainFlags) => {
      const { drainNode } = await import('./drain/drain-node.ts');
      const isDone = await drainNode(node, {
        ...flags,
        timeoutSeconds: timeout,
        clock: systemClock,
        print: (line) => void process.stdout.write(`${line}\n`),
      });
      process.exitCode = isDone ? exitCodes.success : exitCodes.negative;
    });
}

/**
 * `bellman undrain`: removes the annotation that `bellman drain` wrote. Exit codes: 0 when the annotation is gone or was never there; 2 when it
 * could not be removed.
 */
export function undrainCommand(): Command {
  return new Command('undrain')
    .description('end what drain began: the node announces as before')
    .addArgument(nodeArgument())
    .addOption(clusterFlag())
    .action(async (node: string, flags: Pick<DrainFlags, 'kubeconfig'>) => {
      const { undrainNode } = await import('./drain/drain-node.ts');
      await undrainNode(node, flags.kubeconfig);
      process.stdout.write(`node ${node} announces again, unless another signal makes it leave\n`);
    });
}
