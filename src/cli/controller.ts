import { type Command, Option } from 'commander';
import { createLogger } from '../log.ts';
import { runDaemon } from './daemon.ts';
import { type DaemonFlags, daemonCommand } from './flags.ts';
import { stopSignal } from './stop-signal.ts';

/** `bellman controller`: the daemon that accepts or rejects configurations and assigns addresses. */
export function controllerCommand(): Command {
  return daemonCommand('controller', 'accept or reject configurations, and assign addresses to Services')
    .addOption(
      new Option('--no-leader-election', 'run without a Lease; only safe with exactly one replica').env(
        'BELLMAN_LEADER_ELECTION',
      ),
    )
    .action(async ({ logLevel, ...options }: DaemonFlags & { readonly leaderElection: boolean }) => {
      const { runController } = await import('../controller/run.ts');
      const logger = createLogger('controller', logLevel);
      await runDaemon(logger, () => runController({ ...options, logger, signal: stopSignal() }));
    });
}
