/** The systems that are compared. Each runs unmodified in the lab, as its manifests start it. */
import type { LabNode } from '../../lab/fabric.ts';
import { kubeconfigPath, type Lab } from '../../lab/lab.ts';
import { metalLbPrograms } from '../../lab/metallb/programs.ts';
import { processesOf } from '../support/processes.ts';
import { bellmanNode, metalLbVersion } from './paths.ts';

/** Something that announces addresses from a node. */
export interface Speakers {
  readonly name: string;
  startSpeaker(node: LabNode): void;
  /** SIGTERM by default. */
  stopSpeaker(node: LabNode, signal?: NodeJS.Signals): Promise<void>;
}

export interface System extends Speakers {
  startController(): void;
  stopController(): Promise<void>;
  /** Process ids. A speaker may consist of several processes. */
  readonly pids: { speaker(): number[]; controller(): number[] };
  /** Whether the speaker's metrics say that its one BGP session is up. */
  sessionIsUp(node: LabNode): Promise<boolean>;
  /** Number of layer-2 addresses that a speaker says it answers for. */
  answering(node: LabNode): Promise<number>;
}

export const metalLbNamespace = 'metallb-system';
export const metalLbPodLabels = { app: 'metallb', component: 'speaker' };

export function bellman(lab: Lab): System {
  const pids = (isController: boolean) => () =>
    processesOf(bellmanNode, (command) => command.includes('controller') === isController);
  return {
    name: 'Bellman',
    startController: () => lab.startController(),
    stopController: () => lab.stop('controller'),
    startSpeaker: (node) => lab.startSpeaker(node),
    stopSpeaker: (node, signal) => lab.stop(`speaker-${node.name}`, signal),
    pids: { speaker: pids(false), controller: pids(true) },
    sessionIsUp: async (node) => /^bellman_bgp_session_up\{.*\} 1$/m.test(await lab.metrics(node.namespace)),
    answering: async (node) => {
      const { announcing } = (await lab.status(node.namespace)) as { announcing: object };
      return Object.keys(announcing).length;
    },
  };
}

/** In a cluster, the controllers of both systems have Pods of their own. In the lab they share a host, so they may need different ports. */
export function metalLb(lab: Lab, { controllerPort = 7472 } = {}): System {
  const programs = metalLbPrograms(metalLbVersion);
  const port = 7472;
  const environment = { ...lab.podEnvironment, METALLB_NAMESPACE: metalLbNamespace };
  const metrics = (node: LabNode) =>
    node.namespace.exec('curl', '-sS', `http://${node.addresses[0]}:${port}/metrics`);
  const flagsWith = (httpPort: number) => [
    ...[`--port=${httpPort}`, '--config=config', '--log-level=info', `--kubeconfig=${kubeconfigPath}`],
  ];
  return {
    name: 'MetalLB',
    startController: () =>
      lab.processes.start(
        'metallb-controller',
        lab.fabric.control,
        programs.controller,
        flagsWith(controllerPort),
        environment,
      ),
    stopController: () => lab.stop('metallb-controller'),
    startSpeaker: (node) =>
      lab.processes.start(`metallb-speaker-${node.name}`, node.namespace, programs.speaker, flagsWith(port), {
        ...environment,
        METALLB_NODE_NAME: node.name,
        METALLB_HOST: node.addresses[0],
        METALLB_ML_BIND_ADDR: node.addresses[0],
        METALLB_ML_LABELS: Object.entries(metalLbPodLabels)
          .map(([key, value]) => `${key}=${value}`)
          .join(','),
        METALLB_ML_SECRET_KEY: 'a secret key of the lab',
      }),
    stopSpeaker: (node, signal) => lab.stop(`metallb-speaker-${node.name}`, signal),
    pids: {
      speaker: () => processesOf(programs.speaker, () => true),
      controller: () => processesOf(programs.controller, () => true),
    },
    sessionIsUp: async (node) => /^metallb_bgp_session_up\{.*\} 1$/m.test(await metrics(node)),
    answering: async (node) =>
      (await metrics(node)).match(/^metallb_speaker_announced\{.*\} 1$/gm)?.length ?? 0,
  };
}
