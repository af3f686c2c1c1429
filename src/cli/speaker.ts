import { type Command, Option } from 'commander';
import type { DefencePolicy } from '../layer2/responder/defence.ts';
import { createLogger } from '../log.ts';
import { runDaemon } from './daemon.ts';
import { type DaemonFlags, daemonCommand, parsePort, parseSeconds } from './flags.ts';
import { stopSignal } from './stop-signal.ts';

interface SpeakerFlags extends DaemonFlags {
  readonly nodeName: string;
  readonly membershipPort: number;
  readonly leaveWhenCordoned: boolean;
  readonly ignoreExcludeLabel: boolean;
  readonly conflictPolicy: DefencePolicy;
  readonly announceEvery: number;
  readonly witnessEvery: number;
  readonly stateDirectory: string;
}

/** `bellman speaker`: the daemon that announces addresses from its node. */
export function speakerCommand(): Command {
  return daemonCommand('speaker', 'announce addresses from the node it runs on')
    .addOption(
      new Option('--node-name <name>', 'name of this machine’s Node object')
        .env('BELLMAN_NODE_NAME')
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--membership-port <port>', 'UDP port on which speakers probe each other')
        .env('BELLMAN_MEMBERSHIP_PORT')
        .argParser(parsePort)
        .default(7946),
    )
    .addOption(
      new Option(
        '--leave-when-cordoned',
        'let a cordoned node leave: it announces only while too few other nodes could',
      )
        .env('BELLMAN_LEAVE_WHEN_CORDONED')
        .default(false),
    )
    .addOption(
      new Option(
        '--ignore-exclude-label',
        'announce also from nodes labelled node.kubernetes.io/exclude-from-external-load-balancers',
      )
        .env('BELLMAN_IGNORE_EXCLUDE_LABEL')
        .default(false),
    )
    .addOption(
      new Option('--conflict-policy <policy>', 'reaction when another host uses an announced address')
        .env('BELLMAN_CONFLICT_POLICY')
        .choices(['defend', 'yield'])
        .default('defend'),
    )
    .addOption(
      new Option(
        '--announce-every <seconds>',
        'interval of repeated layer-2 announcements, for switches that forget MAC addresses; 0 repeats none',
      )
        .env('BELLMAN_ANNOUNCE_EVERY')
        .argParser(parseSeconds)
        .default(0),
    )
    .addOption(
      new Option(
        '--witness-every <seconds>',
        'interval at which this speaker, as a witness, asks for an address of another node; 0 asks for none, and ignores what witnesses report about this node',
      )
        .env('BELLMAN_WITNESS_EVERY')
        .argParser(parseSeconds)
        .default(5),
    )
    .addOption(
      new Option(
        '--state-directory <path>',
        'directory that survives a restart of the speaker but not a reboot, so that the speaker can tell a restart from a reboot',
      )
        .env('BELLMAN_STATE_DIRECTORY')
        .default('/run/bellman'),
    )
    .action(async (flags: SpeakerFlags) => {
      const { runSpeaker } = await import('../speaker/run.ts');
      const logger = createLogger('speaker', flags.logLevel);
      await runDaemon(logger, () => runSpeaker({ ...flags, logger, signal: stopSignal() }));
    });
}
