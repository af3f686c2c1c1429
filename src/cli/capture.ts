import { writeFile } from 'node:fs/promises';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { exitCodes } from './exit-codes.ts';
import { clusterFlag, daemonPortFlags, namespaceFlag, serviceNamespaceFlag } from './flags.ts';

interface CaptureFlags {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly serviceNamespace: string;
  readonly speakerPort: number;
  readonly controllerPort: number;
  readonly node?: string;
  readonly seconds: number;
  readonly frames: number;
  readonly output: string;
}

/**
 * `bellman capture`: writes the ARP, Neighbour Discovery, BGP and BFD frames of a Service, an address or a peer. At most eight nodes
 * capture: those that announce the address or have a session with the peer, or the node that `--node` names. When no node announces the
 * address, the first eight nodes whose speakers were reached capture instead. Exit code 0: each of these nodes captured. Exit code 1: some of
 * these nodes did not capture; or, without `--node`, no speaker that was reached announces the address, and at least one speaker was not
 * reached. Exit code 2: no node captured, the API server could not be reached, or the file could not be written.
 */
export function captureCommand(): Command {
  return new Command('capture')
    .description(
      'capture the ARP, NDP, BGP and BFD frames of a Service, an address or a peer on at most eight nodes that announce it or have a session with it',
    )
    .addArgument(
      new Argument(
        '<subject>',
        'a peer (name or IP address), a Service (namespace/name or name), or an IP address of a Service',
      ),
    )
    .addOption(clusterFlag())
    .addOption(namespaceFlag())
    .addOption(serviceNamespaceFlag('namespace of a Service that is named without one').default('default'))
    .addOption(daemonPortFlags.speaker())
    .addOption(daemonPortFlags.controller())
    .addOption(
      new Option('--node <node>', 'capture only on this node, whether or not it announces the address'),
    )
    .addOption(
      new Option('--seconds <seconds>', 'time of the capture, 1 to 120 seconds')
        .argParser(within(120, 'seconds'))
        .default(10),
    )
    .addOption(
      new Option('--frames <number>', 'largest number of frames to capture on each node, 1 to 10000')
        .argParser(within(10_000, 'frames'))
        .default(1000),
    )
    .addOption(new Option('-o, --output <file>', 'pcapng file to write; - for standard output').default('-'))
    .action(async (subject: string, { output, ...source }: CaptureFlags) => {
      if (output === '-' && process.stdout.isTTY) {
        process.stderr.write(
          'bellman: standard output is a terminal; give -o FILE, or pipe it into tcpdump -r -\n',
        );
        process.exitCode = exitCodes.failed;
        return;
      }
      const { runCapture } = await import('./capture/run.ts');
      const { file, notes, isComplete } = await runCapture(subject, { ...source, clock: systemClock });
      if (file && output === '-') process.stdout.write(file);
      else if (file) await writeFile(output, file, { mode: 0o600 });
      for (const note of notes) process.stderr.write(`bellman: ${note}\n`);
      process.exitCode = !file ? exitCodes.failed : isComplete ? exitCodes.success : exitCodes.negative;
    });
}

function within(max: number, unit: string): (text: string) => number {
  return (text) => {
    const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
    if (value < 1 || value > max) throw new InvalidArgumentError(`expected ${unit}, 1 to ${max}`);
    return value;
  };
}
