import { Argument, Command, Option } from 'commander';
import { exitCodes } from './exit-codes.ts';
import { clusterFlag, daemonPortFlags, namespaceFlag } from './flags.ts';

interface TraceFlags {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly node?: string;
  readonly speakerPort: number;
  readonly output: 'text' | 'json';
}

/**
 * `bellman trace`: prints the last events about a peer, an address or the membership, as the speakers have recorded them. Exit codes: 0 when
 * events were printed; 1 when there are none; 2 when the API server or a speaker could not be reached, even if other speakers gave events.
 */
export function traceCommand(): Command {
  return new Command('trace')
    .description('print the last events of a BGP peer, of an address, or of the membership')
    .addArgument(
      new Argument('<subject>', 'name or IP address of a peer, an address, or the word membership'),
    )
    .addOption(clusterFlag())
    .addOption(namespaceFlag())
    .addOption(new Option('--node <node>', 'ask only the speaker of this node; by default, ask all speakers'))
    .addOption(daemonPortFlags.speaker())
    .addOption(new Option('-o, --output <format>', 'format').choices(['text', 'json']).default('text'))
    .action(async (subject: string, { output, ...source }: TraceFlags) => {
      const { collectTrace } = await import('./trace/collect.ts');
      const { formatTrace } = await import('./trace/format.ts');
      const { events, faults } = await collectTrace(subject, source);
      process.stdout.write(formatTrace(events, output));
      for (const fault of faults) process.stderr.write(`bellman: ${fault}\n`);
      if (faults.length > 0) process.exitCode = exitCodes.failed;
      else if (events.length > 0) process.exitCode = exitCodes.success;
      else {
        process.stderr.write(`bellman: no events about ${subject}; ${hintFor(subject)}\n`);
        process.exitCode = exitCodes.negative;
      }
    });
}

function hintFor(subject: string): string {
  return subject === 'membership'
    ? 'speakers form a membership only while a pool is announced in layer 2, or while the configuration has dead-nodes'
    : 'bellman status lists the names of the peers';
}
