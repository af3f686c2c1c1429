import { type Command, Option } from 'commander';
import { createLogger } from '../log.ts';
import { runDaemon } from './daemon.ts';
import { type DaemonFlags, daemonCommand, daemonPortFlags } from './flags.ts';
import { stopSignal } from './stop-signal.ts';

interface ControllerFlags extends DaemonFlags {
  readonly leaderElection: boolean;
  readonly serviceConditions: boolean;
  readonly speakerPort: number;
}

/** `bellman controller`: the daemon that accepts or rejects configurations and assigns addresses. */
export function controllerCommand(): Command {
  return daemonCommand('controller', 'accept or reject configurations, and assign addresses to Services')
    .addOption(
      new Option('--no-leader-election', 'run without a Lease; only safe with exactly one replica').env(
        'BELLMAN_LEADER_ELECTION',
      ),
    )
    .addOption(
      new Option(
        '--service-conditions',
        'show the conditions bellman.dev/AddressAssigned and bellman.dev/Announced on Services; each change of a condition costs a write',
      )
        .env('BELLMAN_SERVICE_CONDITIONS')
        .default(false),
    )
    .addOption(daemonPortFlags.speaker())
    .action(async ({ logLevel, ...options }: ControllerFlags) => {
      const { runController } = await import('../controller/run.ts');
      const logger = createLogger('controller', logLevel);
      await runDaemon(logger, () => runController({ ...options, logLevel, logger, signal: stopSignal() }));
    });
}
