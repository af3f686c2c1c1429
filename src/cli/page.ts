import { Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import type { PageRunOptions } from '../page/local/run.ts';
import { clusterFlag, daemonPortFlags, loadBalancerClassFlag, namespaceFlag, parsePort } from './flags.ts';
import { stopSignal } from './stop-signal.ts';

interface PageFlags extends Omit<PageRunOptions, 'clock' | 'signal' | 'print'> {
  readonly endWithInput: boolean;
}

/**
 * `bellman page`: serves the web page of the cluster to browsers on this host, until a signal ends the command. With `--end-with-input`, the end of
 * standard input ends the command too. Exit codes: 0 when the command was ended in one of these ways; 2 when it could not start.
 */
export function pageCommand(): Command {
  return new Command('page')
    .description('serve the web page of the cluster to a browser on this host, at an address that it prints')
    .addOption(clusterFlag())
    .addOption(namespaceFlag())
    .addOption(daemonPortFlags.speaker())
    .addOption(daemonPortFlags.controller())
    .addOption(loadBalancerClassFlag('class that the daemons serve, if no controller leads'))
    .addOption(
      new Option('--port <port>', 'TCP port on the loopback address; by default, any free one').argParser(
        parsePort,
      ),
    )
    .addOption(
      new Option('--end-with-input', 'end when standard input ends; kubectl bellman sets this flag').default(
        false,
      ),
    )
    .action(async ({ endWithInput, ...flags }: PageFlags) => {
      const { runPage } = await import('../page/local/run.ts');
      await runPage({
        ...flags,
        clock: systemClock,
        signal: endWithInput ? AbortSignal.any([stopSignal(), endOfInput()]) : stopSignal(),
        print: (line) => void process.stdout.write(`${line}\n`),
      });
    });
}

function endOfInput(): AbortSignal {
  const end = new AbortController();
  process.stdin
    .on('end', () => end.abort('end of standard input'))
    .on('error', () => end.abort('standard input failed'))
    .resume();
  return end.signal;
}
