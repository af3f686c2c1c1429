/**
 * Flags that several commands share. Each flag of a daemon can also be set by an environment variable, because Deployments and
 * DaemonSets configure containers that way. The flag wins over the variable.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { defaultNamespace } from '../cluster/names.ts';
import { type LogLevel, logLevels } from '../log.ts';
import type { ListenAddress } from '../telemetry/http-server.ts';
import { parseListenAddresses } from './listen-addresses.ts';
import { readSwitchVariables } from './switch-variables.ts';

/** Flags of both daemons. */
export interface DaemonFlags {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly metricsAddress: readonly ListenAddress[];
  readonly loadBalancerClass?: string;
  readonly adoptOnly: boolean;
  readonly logLevel: LogLevel;
}

/** TCP ports on which the daemons serve HTTP unless a flag says otherwise. */
export const defaultHttpPort = { controller: 7471, speaker: 7472 } as const;

/** Makes the command of a daemon, with the flags that both daemons have. */
export function daemonCommand(name: keyof typeof defaultHttpPort, description: string): Command {
  const port = defaultHttpPort[name];
  return new Command(name)
    .description(description)
    .hook('preAction', (command) => readSwitchVariables(command, process.env))
    .addOption(
      kubeconfigFlag('kubeconfig of the API server; by default, the service account of the Pod').env(
        'KUBECONFIG',
      ),
    )
    .addOption(namespaceFlag())
    .addOption(
      new Option(
        '--metrics-address <host:port,...>',
        'where to serve /metrics, /healthz, /readyz and /status; an IP address without a port gets the port of the preceding item',
      )
        .env('BELLMAN_METRICS_ADDRESS')
        .argParser((text) => parseListenAddresses(text, port))
        .default([{ host: '::', port }], `:${port}`),
    )
    .addOption(
      loadBalancerClassFlag('serve only Services of this class; by default, only Services without a class'),
    )
    .addOption(
      new Option(
        '--adopt-only',
        name === 'controller'
          ? 'record which addresses the status of Services has, and assign and change nothing'
          : 'announce only what an object with the key bellman.dev/takeover admits, because another program announces the rest',
      )
        .env('BELLMAN_ADOPT_ONLY')
        .default(false),
    )
    .addOption(
      new Option('--log-level <level>', 'least severe level to log')
        .env('BELLMAN_LOG_LEVEL')
        .choices(logLevels)
        .default('info'),
    );
}

export function kubeconfigFlag(description: string): Option {
  return new Option('--kubeconfig <file>', description);
}

/** The kubeconfig of a command that needs a cluster. */
export function clusterFlag(): Option {
  return kubeconfigFlag('kubeconfig of the API server').env('KUBECONFIG');
}

export function namespaceFlag(): Option {
  return new Option('--namespace <name>', 'namespace of the ConfigMap')
    .env('BELLMAN_NAMESPACE')
    .default(defaultNamespace);
}

/** Flags of the commands that ask the daemons for their state. */
export const daemonPortFlags = {
  speaker: () =>
    new Option('--speaker-port <port>', 'TCP port on which speakers serve their state on their nodes')
      .env('BELLMAN_SPEAKER_PORT')
      .argParser(parsePort)
      .default(defaultHttpPort.speaker),
  controller: () =>
    new Option('--controller-port <port>', 'TCP port on which the controller serves /status in its Pod')
      .argParser(parsePort)
      .default(defaultHttpPort.controller),
} as const;

/** `-n` names the namespace of Services, as in kubectl. Bellman's own namespace is `--namespace`. */
export function serviceNamespaceFlag(description: string): Option {
  return new Option('-n, --service-namespace <name>', description);
}

export function loadBalancerClassFlag(description: string): Option {
  return new Option('--load-balancer-class <class>', description).env('BELLMAN_LOAD_BALANCER_CLASS');
}

export function parsePort(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) throw new InvalidArgumentError('expected a port, 1 to 65535');
  return port;
}

export function parseSeconds(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 86_400)) throw new InvalidArgumentError('expected seconds, 0 to 86400');
  return value;
}
