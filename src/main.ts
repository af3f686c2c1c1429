/**
 * The command line: `bellman controller | speaker | validate | status`. Each flag of a daemon has an environment variable beside
 * it, as a Deployment or DaemonSet sets them. Exit codes: 0 clean, 1 a negative answer (`validate`, `status`), 2 could not run.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { defaultNamespace } from './cluster/names.ts';
import type { DefencePolicy } from './layer2/responder/defence.ts';
import { createLogger, type LogLevel, logLevels } from './log.ts';

/** Where an HTTP endpoint listens. */
interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

interface DaemonFlags {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly metricsAddress: ListenAddress;
  readonly loadBalancerClass?: string;
  readonly logLevel: LogLevel;
}

/** `host:port`, `[v6]:port` or `:port`. */
function listenAddress(text: string): ListenAddress {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65535)
    throw new InvalidArgumentError('expected host:port, [v6]:port or :port');
  return { host: bracketed ?? (plain || '::'), port: Number(port) };
}

function portNumber(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) throw new InvalidArgumentError('expected a port, 1 to 65535');
  return port;
}

function seconds(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 86_400)) throw new InvalidArgumentError('expected seconds, 0 to 86400');
  return value;
}

function daemon(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(
      new Option(
        '--kubeconfig <file>',
        'how to reach the API server; inside a cluster the service account serves',
      ).env('KUBECONFIG'),
    )
    .addOption(
      new Option('--namespace <name>', 'where the ConfigMap lives')
        .env('BELLMAN_NAMESPACE')
        .default(defaultNamespace),
    )
    .addOption(
      new Option('--metrics-address <host:port>', 'serves /metrics, /healthz and /status')
        .env('BELLMAN_METRICS_ADDRESS')
        .argParser(listenAddress)
        .default(
          { host: '::', port: name === 'controller' ? 7471 : 7472 },
          name === 'controller' ? ':7471' : ':7472',
        ),
    )
    .addOption(
      new Option(
        '--load-balancer-class <class>',
        'serve only Services of this class; without it, those without a class',
      ).env('BELLMAN_LOAD_BALANCER_CLASS'),
    )
    .addOption(new Option('--log-level <level>').env('BELLMAN_LOG_LEVEL').choices(logLevels).default('info'));
}

/** Aborts on SIGTERM or SIGINT; a second signal ends the process at once. */
function untilSignalled(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(1);
      stop.abort(signal);
    });
  return stop.signal;
}

const controller = daemon('controller', 'judges the ConfigMap and allocates addresses')
  .addOption(
    new Option('--no-leader-election', 'run without a Lease: only when there is one replica for sure').env(
      'BELLMAN_LEADER_ELECTION',
    ),
  )
  .action(async (flags: DaemonFlags & { leaderElection: boolean }) => {
    const { runController } = await import('./controller/run.ts');
    const { logLevel, ...options } = flags;
    await runController({
      ...options,
      logger: createLogger('controller', logLevel),
      signal: untilSignalled(),
    });
  });

const speaker = daemon('speaker', 'announces addresses from the node it runs on')
  .addOption(
    new Option('--node-name <name>', 'the Node object of this machine')
      .env('BELLMAN_NODE_NAME')
      .makeOptionMandatory(),
  )
  .addOption(
    new Option('--membership-port <port>', 'UDP port on which speakers watch each other')
      .env('BELLMAN_MEMBERSHIP_PORT')
      .argParser(portNumber)
      .default(7946),
  )
  .addOption(
    new Option('--leave-when-cordoned', 'a node that is cordoned stops announcing; else it goes on')
      .env('BELLMAN_LEAVE_WHEN_CORDONED')
      .default(false),
  )
  .addOption(
    new Option('--conflict-policy <policy>', 'when another host claims an address that is answered here')
      .env('BELLMAN_CONFLICT_POLICY')
      .choices(['defend', 'yield'])
      .default('defend'),
  )
  .addOption(
    new Option('--announce-every <seconds>', 'in layer 2, for switches that forget; 0: only at a takeover')
      .env('BELLMAN_ANNOUNCE_EVERY')
      .argParser(seconds)
      .default(0),
  )
  .addOption(
    new Option(
      '--state-directory <path>',
      'survives the speaker but not the node: tells a restart from a boot',
    )
      .env('BELLMAN_STATE_DIRECTORY')
      .default('/run/bellman'),
  )
  .action(
    async (
      flags: DaemonFlags & {
        nodeName: string;
        membershipPort: number;
        leaveWhenCordoned: boolean;
        conflictPolicy: DefencePolicy;
        announceEvery: number;
        stateDirectory: string;
      },
    ) => {
      const { runSpeaker } = await import('./speaker/run.ts');
      const { logLevel, ...options } = flags;
      await runSpeaker({
        ...options,
        logLevel,
        logger: createLogger('speaker', logLevel),
        signal: untilSignalled(),
      });
    },
  );

const validate = new Command('validate')
  .description('judges configuration files by the very code of the controller')
  .argument('<file...>', 'YAML of the configuration or of its ConfigMap; - for standard input')
  .option('--kubeconfig <file>', 'also say which assigned addresses each file would orphan')
  .action(async (files: string[], flags: { kubeconfig?: string }) => {
    const { validateFiles } = await import('./cli/validate.ts');
    process.exitCode = await validateFiles(files, flags);
  });

const status = new Command('status')
  .description('configuration, pools, addresses with who announces them, sessions and members')
  .addOption(new Option('--kubeconfig <file>').env('KUBECONFIG'))
  .addOption(new Option('--namespace <name>').env('BELLMAN_NAMESPACE').default(defaultNamespace))
  .addOption(
    new Option('--speaker-port <port>', 'where speakers serve /status on their nodes')
      .argParser(portNumber)
      .default(7472),
  )
  .addOption(
    new Option('--load-balancer-class <class>', 'as the daemons have it').env('BELLMAN_LOAD_BALANCER_CLASS'),
  )
  .action(
    async (flags: {
      kubeconfig?: string;
      namespace: string;
      speakerPort: number;
      loadBalancerClass?: string;
    }) => {
      const { printStatus } = await import('./cli/status.ts');
      process.exitCode = await printStatus(flags);
    },
  );

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** A reader that has seen enough, as `head`, is no error; output that cannot be written is. */
function onOutputLost(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') process.stderr.write(`bellman: cannot write the output: ${error.message}\n`);
  process.exit(error.code === 'EPIPE' ? 0 : 2);
}
process.stdout.on('error', onOutputLost);
process.stderr.on('error', () => process.exit(2));

const program = new Command('bellman')
  .description('LoadBalancer addresses on bare metal, announced by BGP, ARP and NDP')
  .version(version, '--version', 'the version of this program')
  .showHelpAfterError('(add --help for the flags)')
  .exitOverride();
for (const command of [controller, speaker, validate, status])
  program.addCommand(command.copyInheritedSettings(program));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`bellman: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  }
}
