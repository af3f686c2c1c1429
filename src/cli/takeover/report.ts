import { counted } from '../counted.ts';
import { formatTable } from '../status/table.ts';
import type { NodeFacts, TakeoverFacts } from './facts.ts';
import { layer2Progress } from './layer2-progress.ts';
import type { Step } from './next-step.ts';

/** The text of `bellman takeover status`. Pure. */
export function formatTakeover(facts: TakeoverFacts, step: Step): string {
  const { metalLb, controller } = facts;
  const controllers = [
    [
      'controller',
      metalLb.controllers > 0 ? 'assigns addresses' : 'stopped',
      controller ? controllerText(controller) : 'not reached',
    ],
  ];
  const layer2 = layer2Progress(facts).map(({ pool, addresses, answered, seen, isAdmitted, first }) => [
    pool,
    String(addresses),
    String(seen),
    String(answered),
    isAdmitted ? 'whole pool' : first ? `Service ${first.namespace}/${first.service}` : 'nothing',
  ]);
  const parts = [
    formatTable(['', 'MetalLB', 'Bellman'], controllers),
    ...(layer2.length > 0
      ? [
          formatTable(
            ['pool in layer 2', 'addresses', 'answered by others', 'answered by Bellman', 'admitted'],
            layer2,
          ),
        ]
      : []),
    formatTable(
      ['node', 'MetalLB', 'Bellman', 'BGP', 'layer 2'],
      facts.nodes.map((node) => nodeRow(node)),
    ),
    stepText(step),
  ];
  return `${parts.join('\n\n')}\n`;
}

function controllerText({
  adoptOnly,
  addresses,
  conflicts,
}: NonNullable<TakeoverFacts['controller']>): string {
  const books = `${addressCount(addresses)} in the books`;
  const problems = conflicts.length === 0 ? 'no conflict' : counted(conflicts.length, 'conflict');
  return adoptOnly ? `adopts only: ${books}, ${problems}` : `assigns addresses: ${books}`;
}

function nodeRow({ name, hasMetalLb, hasSpeaker, speaker }: NodeFacts): string[] {
  const metalLb = hasMetalLb ? 'runs' : 'gone';
  if (!hasSpeaker) return [name, metalLb, 'no speaker'];
  if (!speaker.ok) return [name, metalLb, `not reached: ${speaker.error}`];
  const { adoption, peers, advertised, announcing } = speaker.value;
  const up = peers.filter(({ state }) => state === 'Established').length;
  const speaks = `speaks: ${addressCount(Object.keys(advertised).length)}, ${up} of ${counted(peers.length, 'session')}`;
  const inLayer2 = `answers for ${Object.keys(announcing).length}`;
  if (!adoption) return [name, metalLb, 'in normal operation', speaks, inLayer2];
  const held = (protocol: string) => adoption.held.filter((each) => each.protocol === protocol).length;
  const bgp =
    adoption.bgp === 'live'
      ? speaks
      : `${adoption.bgp === 'held' ? 'ready' : 'waits'}: ${addressCount(held('bgp'))} held back${others(adoption.otherSessions)}`;
  return [name, metalLb, 'adopts only', bgp, `${inLayer2}, ${held('layer2')} held back`];
}

function addressCount(count: number): string {
  return counted(count, 'address', 'es');
}

function others(sessions: readonly string[]): string {
  return sessions.length > 0 ? `, another program speaks to ${sessions.join(', ')}` : '';
}

const headings = { run: 'NEXT', wait: 'WAIT', repair: 'REPAIR', done: 'DONE' } as const;

function stepText({ kind, text, command, back }: Step): string {
  return [
    `${headings[kind]}   ${text}`,
    ...(command === undefined ? [] : [`  ${command}`]),
    ...(back === undefined ? [] : ['BACK', `  ${back}`]),
  ].join('\n');
}
