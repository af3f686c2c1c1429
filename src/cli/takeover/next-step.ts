/**
 * The next step of a takeover: a command to run, or something to wait for or to repair first. The order is that of the guide
 * (docs/guides/takeover.md): the books, the controllers, layer 2, the nodes, the end. Pure.
 */
import { takeoverKey } from '../../cluster/names.ts';
import { counted } from '../counted.ts';
import type { NodeFacts, TakeoverFacts } from './facts.ts';
import { type Layer2Progress, layer2Progress } from './layer2-progress.ts';
import { avoidingPatch, avoidsNodes, type DaemonSetFacts, restoringPatch } from './node-affinity.ts';

export interface Step {
  /** `run`: run the command. `wait`: ask again soon. `repair`: a person must act. `done`: nothing is left. */
  readonly kind: 'run' | 'wait' | 'repair' | 'done';
  /** The effect of the command, or what is missing. */
  readonly text: string;
  readonly command?: string;
  /** The command that undoes the step. */
  readonly back?: string;
}

const adoptOnly = 'BELLMAN_ADOPT_ONLY';

export function nextStep(all: TakeoverFacts): Step {
  const facts = { ...all, nodes: all.nodes.filter(takesPart) };
  return (
    unreached(facts) ??
    books(facts) ??
    controllers(facts) ??
    layer2(facts) ??
    nodes(facts) ??
    theEnd(facts) ?? { kind: 'done', text: 'Bellman announces all addresses, and MetalLB has no Pods' }
  );
}

/** A node on which neither program is meant to run takes no part, for instance because of the `nodeSelector` of the DaemonSets. */
function takesPart({ hasSpeaker, hasMetalLb, isAdmitted }: NodeFacts): boolean {
  return hasSpeaker || hasMetalLb || isAdmitted;
}

function unreached({ nodes: all, controller }: TakeoverFacts): Step | undefined {
  const missing = all.find(({ speaker }) => !speaker.ok);
  if (missing && !missing.speaker.ok)
    return {
      kind: 'repair',
      text: `the speaker of ${missing.name} was not reached: ${missing.speaker.error}`,
    };
  const starting = all.find(({ speaker }) => speaker.ok && speaker.value.waitingFor.length > 0);
  if (starting?.speaker.ok) {
    const missingKinds = starting.speaker.value.waitingFor.join(', ');
    return { kind: 'wait', text: `the speaker of ${starting.name} still reads: ${missingKinds}` };
  }
  if (!controller) return { kind: 'wait', text: 'no controller of Bellman leads, or it was not reached' };
  return undefined;
}

function books({ configProblem, controller }: TakeoverFacts): Step | undefined {
  if (configProblem !== undefined) return { kind: 'repair', text: configProblem };
  const [conflict, ...more] = controller?.conflicts ?? [];
  if (conflict === undefined || !controller?.adoptOnly) return undefined;
  return {
    kind: 'repair',
    text: `${conflict}${more.length > 0 ? `; and ${counted(more.length, 'other Service')}` : ''}`,
  };
}

function controllers({ namespace, metalLb, controller }: TakeoverFacts): Step | undefined {
  const scale = `kubectl -n ${metalLb.namespace} scale deployment ${metalLb.deployment} --replicas`;
  if (controller?.adoptOnly && metalLb.controllers > 0)
    return {
      kind: 'run',
      text: 'stop the controller of MetalLB; assigned addresses stay, and new Services wait',
      command: `${scale}=0`,
      back: `${scale}=1`,
    };
  if (metalLb.controllers > 0)
    return {
      kind: 'repair',
      text: 'the controllers of MetalLB and of Bellman both assign addresses: stop the controller of MetalLB',
      command: `${scale}=0`,
    };
  if (!controller?.adoptOnly) return undefined;
  const set = `kubectl -n ${namespace} set env deployment/controller ${adoptOnly}`;
  return {
    kind: 'run',
    text: 'let the controller of Bellman assign addresses',
    command: `${set}-`,
    back: `${set}=true`,
  };
}

/** In layer 2, one Service is tried first. Then the pools are admitted one after another. */
function layer2(facts: TakeoverFacts): Step | undefined {
  if (!isAdopting(facts)) return undefined;
  const progress = layer2Progress(facts).filter(({ addresses }) => addresses > 0);
  const foreign = progress.find((each) => each.foreign.length > 0);
  if (foreign)
    return {
      kind: 'repair',
      text: `a host without a speaker of Bellman answers for ${foreign.foreign[0]} of pool ${foreign.pool}`,
    };
  const open = progress.find((each) => !each.isAdmitted || each.answered + each.idle.size < each.addresses);
  if (!open) return undefined;
  if (open.isAdmitted) return { kind: 'wait', text: remaining(open) };
  const [stale] = open.stale;
  // If the pool were admitted now, the recorded node would become the first owner, even if MetalLB announces the address from another node.
  if (stale)
    return {
      kind: 'wait',
      text: `the record of ${stale.address} names ${stale.recordedNode}, which no longer answers; a speaker removes the line within ten seconds`,
    };
  const isFirstPool = progress.every((each) => !each.isAdmitted);
  const tried = progress.find(({ first, idle }) => first && !idle.has(first.address));
  const [trial] = isFirstPool && !tried ? progress.flatMap((each) => firstService(facts, each) ?? []) : [];
  if (trial) return trial;
  if (isFirstPool && tried?.answered === 0) return { kind: 'wait', text: remaining(tried) };
  const before = facts.admittedPools;
  const annotate = `kubectl -n ${facts.namespace} annotate --overwrite configmap config ${takeoverKey}`;
  const canBeNamed = !open.pool.includes(',') && open.pool === open.pool.trim();
  const which = canBeNamed
    ? `pool ${open.pool}`
    : `all pools, because the annotation cannot name pool ${open.pool}`;
  return {
    kind: 'run',
    text: `let Bellman answer for all addresses of ${which}${canBeNamed ? ', each from the node that answers now' : ''}`,
    command: `${annotate}=${word(canBeNamed ? [...before, open.pool].join() : '*')}`,
    back: before.length === 0 ? `${annotate}-` : `${annotate}=${word(before.join())}`,
  };
}

/** The step that tries one address of the pool: the first one that is not idle. `undefined` when all are idle. */
function firstService({ pools }: TakeoverFacts, { pool, idle }: Layer2Progress): Step | undefined {
  const addresses = pools.find(({ name }) => name === pool)?.addresses;
  const first = addresses?.find(({ address }) => !idle.has(address));
  if (!first) return undefined;
  const annotate = `kubectl -n ${first.namespace} annotate`;
  const service = `service ${first.service} ${takeoverKey}`;
  return {
    kind: 'run',
    text: `try it with one Service: let Bellman answer for ${first.address}, from the node that answers now`,
    // The annotation may be there with another value.
    command: `${annotate} --overwrite ${service}=true`,
    back: `${annotate} ${service}-`,
  };
}

function remaining({ pool, addresses, answered, idle }: Layer2Progress): string {
  const more = idle.size === 0 ? '' : `; ${idle.size} ${idle.size === 1 ? 'has' : 'have'} no ready endpoint`;
  return `pool ${pool}: Bellman answers for ${answered} of ${counted(addresses, 'address', 'es')}${more}`;
}

function nodes(facts: TakeoverFacts): Step | undefined {
  if (!isAdopting(facts)) return undefined;
  const { namespace, daemonSet } = facts.metalLb;
  if (daemonSet && !avoidsNodes(daemonSet)) return avoidNodes(namespace, daemonSet);
  const unfinished = facts.nodes.find((node) => node.isAdmitted && nodeProblem(node) !== undefined);
  if (unfinished) return { kind: 'wait', text: `${unfinished.name}: ${nodeProblem(unfinished)}` };
  const next = facts.nodes.find(({ isAdmitted }) => !isAdmitted);
  if (!next) return undefined;
  const label = `node ${next.name} ${takeoverKey}`;
  return {
    kind: 'run',
    text: `end MetalLB on ${next.name}, and let Bellman open the BGP sessions of this node`,
    // The label may be there with another value.
    command: `kubectl label --overwrite ${label}=true`,
    back: `kubectl label ${label}-`,
  };
}

/** Why the takeover of an admitted node is not finished. */
function nodeProblem({ hasMetalLb, speaker }: NodeFacts): string | undefined {
  if (hasMetalLb) return 'the Pod of MetalLB is not gone yet';
  const status = speaker.ok ? speaker.value : undefined;
  if (status?.adoption?.bgp === 'held') return 'its speaker does not know yet that the node is admitted';
  // The speaker opens its sessions when it has planned the routes of all Services. Until then, it has no peers.
  if (status?.adoption?.bgp === 'live' && status.adoption.held.some(({ protocol }) => protocol === 'bgp'))
    return 'its speaker has not opened its BGP sessions yet';
  if (status?.adoption?.bgp === 'waiting')
    return `another program still has a session with ${status.adoption.otherSessions.join(', ') || 'a peer'}`;
  const down = status?.peers.find(({ state }) => state !== 'Established');
  if (down) return `the session with ${down.name} is in state ${down.state}`;
  const unsent = status?.peers.find(
    ({ routesSent, routesDesired = routesSent }) => routesSent < routesDesired,
  );
  return unsent && `peer ${unsent.name} has ${unsent.routesSent} of ${unsent.routesDesired} routes`;
}

function avoidNodes(namespace: string, daemonSet: DaemonSetFacts): Step {
  const patch = (body: object) =>
    `kubectl -n ${namespace} patch daemonset ${daemonSet.name} --type merge -p ${quoted(JSON.stringify(body))}`;
  return {
    kind: 'run',
    text: `let the speakers of MetalLB avoid nodes with the label ${takeoverKey}; no Pod restarts`,
    command: patch(avoidingPatch(daemonSet)),
    back: patch(restoringPatch(daemonSet)),
  };
}

/** The text as one word of a shell, with quotes only where it needs them. */
function word(text: string): string {
  return /^[\w.,:@%+/-]+$/.test(text) ? text : quoted(text);
}

/** The text in the quotes of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function theEnd(facts: TakeoverFacts): Step | undefined {
  if (!isAdopting(facts)) {
    const left = facts.nodes.find(({ hasMetalLb }) => hasMetalLb);
    return (
      left && {
        kind: 'repair',
        text: `${left.name}: a Pod of MetalLB runs beside Bellman: remove its DaemonSet`,
      }
    );
  }
  const restarting = facts.nodes.filter(({ speaker }) => speaker.ok && speaker.value.adoption === undefined);
  if (restarting.length > 0)
    return {
      kind: 'wait',
      text: `${restarting.length} of ${counted(facts.nodes.length, 'speaker')} have ended the takeover`,
    };
  const set = `kubectl -n ${facts.namespace} set env daemonset/speaker ${adoptOnly}`;
  return {
    kind: 'run',
    text: 'end the takeover: the speakers restart, one after another, and no longer need labels and annotations',
    command: `${set}-`,
    back: `${set}=true`,
  };
}

/** Whether a speaker still runs with `--adopt-only`. */
function isAdopting({ nodes: all }: TakeoverFacts): boolean {
  return all.some(({ speaker }) => speaker.ok && speaker.value.adoption !== undefined);
}
