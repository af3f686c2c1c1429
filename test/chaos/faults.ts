/** The faults of a chaos run: each begins, lasts for a while, and is undone. */
import type { Knob } from '../../lab/api-server.ts';
import type { LabNode } from '../../lab/fabric.ts';
import type { Lab } from '../../lab/lab.ts';
import { isKubernetes } from '../../lab/start-api-server.ts';
import type { Random } from '../fuzz/random.ts';
import { localService, printers, toggledService } from './cluster.ts';

export interface Fault {
  /** One line for the report. */
  readonly name: string;
  /** Addresses may move away from this node while the fault lasts. */
  readonly victim?: LabNode;
  /** Services that no node can announce while the fault lasts. Their addresses may move, and events may say that no node answers. */
  readonly darkens?: readonly string[];
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
}

type MakeFault = (lab: Lab, random: Random) => Fault;

const nothing = async () => {};

const killSpeaker: MakeFault = (lab, random) => {
  const victim = random.pick(lab.fabric.nodes);
  return {
    name: `kill the speaker of ${victim.name}`,
    victim,
    begin: () => lab.stop(`speaker-${victim.name}`, 'SIGKILL'),
    end: async () => lab.startSpeaker(victim),
  };
};

const stopSpeaker: MakeFault = (lab, random) => {
  const victim = random.pick(lab.fabric.nodes);
  return {
    name: `stop the speaker of ${victim.name} as planned`,
    victim,
    begin: () => lab.stop(`speaker-${victim.name}`),
    end: async () => lab.startSpeaker(victim),
  };
};

const killLayer2: MakeFault = (lab, random) => {
  const victim = random.pick(lab.fabric.nodes);
  return {
    name: `kill the layer-2 process of ${victim.name}`,
    victim,
    begin: () => lab.signalLayer2(victim, 'SIGKILL'),
    end: nothing,
  };
};

const freezeLayer2: MakeFault = (lab, random) => {
  const victim = random.pick(lab.fabric.nodes);
  return {
    name: `freeze the layer-2 process of ${victim.name}`,
    victim,
    begin: () => lab.signalLayer2(victim, 'SIGSTOP'),
    end: () => lab.signalLayer2(victim, 'SIGCONT'),
  };
};

const unplug: MakeFault = (lab, random) => {
  const victim = random.pick(lab.fabric.nodes);
  return {
    name: `pull the cable of ${victim.name}`,
    victim,
    begin: () => lab.plugNode(victim, false),
    end: () => lab.plugNode(victim, true),
  };
};

function cut(what: 'udp 7946' | 'tcp 6443', words: string, moves: boolean): MakeFault {
  return (lab, random) => {
    const node = random.pick(lab.fabric.nodes);
    let undo: (() => Promise<void>) | undefined;
    return {
      name: `cut ${node.name} off from ${words}`,
      ...(moves ? { victim: node } : {}),
      begin: async () => {
        undo = await lab.cut(node, what);
      },
      end: async () => undo?.(),
    };
  };
}

const notReady: MakeFault = (lab, random) => {
  const victim = random.pick(lab.fabric.nodes);
  return {
    name: `make ${victim.name} NotReady`,
    victim,
    begin: () => lab.markReady(victim, false),
    end: () => lab.markReady(victim, true),
  };
};

function apiFault(name: string, begin: Knob, end?: Knob): MakeFault {
  return (lab) => ({
    name,
    begin: () => lab.api(begin),
    end: async () => {
      if (end !== undefined) await lab.api(end);
    },
  });
}

const refuseApi = apiFault('refuse every request to the API server', 'refuse', 'serve');
const pauseApi = apiFault('pause the API server', 'pause', 'serve');
const compactHistory = apiFault('forget the history of watches', 'compact');

const killController: MakeFault = (lab) => ({
  name: 'kill the controller',
  begin: () => lab.stop('controller', 'SIGKILL'),
  end: async () => lab.startController(),
});

const breakConfig: MakeFault = (lab) => {
  let before = '';
  return {
    name: 'break the configuration',
    begin: async () => {
      before = await lab.kubectl(
        'get',
        'configmap',
        'config',
        '-n',
        'bellman-system',
        '-o',
        'jsonpath={.data.config}',
      );
      await lab.configure('address-pools: [{name: office, protocol: carrier-pigeon}]');
    },
    end: () => lab.configure(before),
  };
};

const localEndpoints: MakeFault = (lab, random) => {
  const node = random.pick(lab.fabric.nodes);
  return {
    name: `take the endpoint of ${localService} from ${node.name}`,
    victim: node,
    begin: () => lab.removePods(localService, node),
    end: () => lab.addPods(localService, [node]),
  };
};

const allEndpoints: MakeFault = (lab) => ({
  name: `take all endpoints from ${toggledService}`,
  darkens: [toggledService],
  begin: async () => {
    for (const node of lab.fabric.nodes) await lab.removePods(toggledService, node);
  },
  end: () => lab.addPods(toggledService, lab.fabric.nodes),
});

const deleteService: MakeFault = (lab, random) => {
  const name = random.pick(printers);
  let object: Record<string, unknown> = {};
  return {
    name: `delete Service ${name} and create it again`,
    darkens: [name],
    begin: async () => {
      const { metadata, spec } = JSON.parse(await lab.kubectl('get', 'service', name, '-o', 'json')) as {
        metadata: { annotations?: Record<string, string> };
        spec: Record<string, unknown>;
      };
      const annotations = Object.fromEntries(
        Object.entries(metadata.annotations ?? {}).filter(([key]) => key === 'bellman.dev/address-pool'),
      );
      const { type, selector, ports, ipFamilyPolicy } = spec;
      object = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'default', annotations },
        spec: { type, selector, ports, ipFamilyPolicy },
      };
      await lab.kubectl('delete', 'service', name);
    },
    end: () => lab.apply(object),
  };
};

const makers: readonly MakeFault[] = [
  killSpeaker,
  stopSpeaker,
  killLayer2,
  freezeLayer2,
  unplug,
  cut('udp 7946', 'the other speakers', true),
  cut('tcp 6443', 'the API server', false),
  notReady,
  refuseApi,
  pauseApi,
  apiFault('break every watch', 'cut-watches'),
  compactHistory,
  killController,
  breakConfig,
  localEndpoints,
  allEndpoints,
  deleteService,
];

/** Faults that write to the API server cannot begin or end while another fault silences it. */
const needsApi = new Set<MakeFault>([notReady, breakConfig, localEndpoints, allEndpoints, deleteService]);
// When the lab runs the API server of Kubernetes, a compaction restarts it, see `Knob`.
const silencesApi = new Set<MakeFault>([refuseApi, pauseApi, ...(isKubernetes ? [compactHistory] : [])]);

/** Picks one to four faults of different kinds, no two of them with the same victim. */
export function pickFaults(lab: Lab, random: Random): Fault[] {
  const chosen = new Set<MakeFault>();
  const faults: Fault[] = [];
  const victims = new Set<LabNode>();
  const count = 1 + random.below(4);
  while (faults.length < count) {
    const make = random.pick(makers);
    const clashes = [...chosen].some(
      (other) =>
        (needsApi.has(make) && silencesApi.has(other)) || (silencesApi.has(make) && needsApi.has(other)),
    );
    if (
      chosen.has(make) ||
      clashes ||
      (silencesApi.has(make) && [...chosen].some((other) => silencesApi.has(other)))
    )
      continue;
    const fault = make(lab, random);
    // Two faults on one node would interfere with each other: a killed speaker cannot be stopped.
    if (fault.victim && victims.has(fault.victim)) continue;
    if (fault.victim) victims.add(fault.victim);
    chosen.add(make);
    faults.push(fault);
  }
  return faults;
}
