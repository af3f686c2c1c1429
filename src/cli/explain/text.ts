/** Writes an explanation for people: the verdict of each address, its causes, then a tree of nodes and peers. Pure. */

import type {
  AddressExplanation,
  BgpExplanation,
  Cause,
  Explanation,
  Layer2Explanation,
  NodeExplanation,
  NodeRefusalExplanation,
  PeerExplanation,
  RouteExplanation,
} from '../../report/explain/explanation.ts';
import { shortList } from '../../report/status/words.ts';

/** Number of nodes that are shown one by one although they may not announce the address. A cluster may have hundreds of them. */
const maxRefusedNodes = 6;

export function formatExplanation(explanation: Explanation): string {
  const lines = [...headLines(explanation), ...explanation.addresses.flatMap(addressLines)];
  return lines.map((line) => `${line}\n`).join('');
}

function headLines({ subject, service, causes, verdict }: Explanation): string[] {
  const [first, ...others] = causes;
  if (!first) return [];
  return [
    `${service ?? subject}: ${verdict}: ${causeText(first)}`,
    ...others.map((cause) => `  ${causeText(cause)}`),
    ...remedyLines(causes),
  ];
}

function addressLines(address: AddressExplanation): string[] {
  const { verdict, summary, causes, pool, protocols, nodes, transitions } = address;
  const [first] = causes;
  // With the verdict `not announced` or `unknown`, the summary ends with the text of the first cause.
  const isFirstInSummary = verdict !== 'announced';
  const field = isFirstInSummary && first?.field !== undefined ? ` (${first.field})` : '';
  return [
    `${address.address}: ${summary}${field}`,
    ...(isFirstInSummary ? causes.slice(1) : causes).map((cause) => `  ${causeText(cause)}`),
    ...(pool === undefined ? [] : [`  pool ${pool}, ${protocols.join(' and ') || 'protocol none'}`]),
    ...nodeLines(nodes),
    ...transitionLines(transitions),
    ...remedyLines(causes),
  ];
}

function causeText({ text, field }: Cause): string {
  return field === undefined ? text : `${text} (${field})`;
}

function remedyLines(causes: readonly Cause[]): string[] {
  const remedies = [...new Set(causes.flatMap(({ remedy }) => remedy ?? []))];
  return remedies.length === 0
    ? []
    : ['  what would change this:', ...remedies.map((each) => `    - ${each}`)];
}

function transitionLines(transitions: AddressExplanation['transitions']): string[] {
  if (transitions.length === 0) return [];
  return [
    '  last changes:',
    ...transitions.map(({ at, node, machine, text }) => `    ${at}  ${node}  ${machine}: ${text}`),
  ];
}

function nodeLines(nodes: readonly NodeExplanation[]): string[] {
  const isRefused = ({ layer2, bgp, notReached }: NodeExplanation) =>
    notReached === undefined && !layer2?.eligible && !bgp?.eligible;
  const shown = nodes.filter((node) => !isRefused(node));
  const refused = nodes.filter(isRefused);
  const hidden = refused.slice(maxRefusedNodes);
  return [
    ...[...shown, ...refused.slice(0, maxRefusedNodes)].flatMap(oneNode),
    ...(hidden.length > 0
      ? [`  ${shortList(hidden.map(({ node }) => node))}: may not announce; -o json shows each reason`]
      : []),
  ];
}

function oneNode({ node, notReached, layer2, bgp }: NodeExplanation): string[] {
  return [
    `  ${node}${notReached === undefined ? '' : `: the speaker was not reached: ${notReached}`}`,
    ...(layer2 ? [`    layer 2: ${layer2Text(layer2)}`] : []),
    ...(bgp ? bgpLines(bgp) : []),
  ];
}

function layer2Text({ ownerSince, unverifiedBy, usedBy, refusal, links }: Layer2Explanation): string {
  const where = links && links.length > 0 ? `; ${linksText(links)} the address` : '';
  if (ownerSince !== undefined) {
    const fault = unverifiedBy === undefined ? '' : `, but no answer from it reaches ${unverifiedBy}`;
    return `answers since ${ownerSince}${where}${fault}`;
  }
  if (usedBy !== undefined) return `does not answer, because another host uses the address: ${usedBy}`;
  if (refusal) return `may not announce: ${refusalText(refusal)}`;
  return `may announce, but does not own the address${where}`;
}

function linksText(links: readonly string[]): string {
  return links.length === 1 ? `its link ${links[0]} carries` : `its links ${links.join(' and ')} carry`;
}

function refusalText({ reason, field }: NodeRefusalExplanation): string {
  return field === undefined ? reason : `${reason} (${field})`;
}

function bgpLines({ refusal, peers }: BgpExplanation): string[] {
  if (refusal) return [`    BGP: may not announce: ${refusalText(refusal)}`];
  return peers.flatMap(peerLines);
}

function peerLines(peer: PeerExplanation): string[] {
  const { state, since, routesSent, routesDesired, lastError, lastErrorAt, warnings, bfd } = peer;
  const sent =
    routesSent === undefined
      ? ''
      : `, ${routesSent} of ${routesDesired ?? routesSent} routes of all Services sent`;
  const error = lastError === undefined ? '' : `; last error ${lastErrorAt ?? ''} ${lastError}`;
  return [
    `    peer ${peer.peer}: ${state}${since === undefined ? '' : ` since ${since}`}${sent}${error}`,
    ...peer.routes.map((route) => `      ${peer.announced ? 'sends' : 'would send'} ${routeText(route)}`),
    ...warnings.map((warning) => `      ${warning}`),
    ...(bfd
      ? [`      BFD ${bfd.state} since ${bfd.since}${bfd.problem === undefined ? '' : `: ${bfd.problem}`}`]
      : []),
  ];
}

function routeText(route: RouteExplanation): string {
  const { prefix, localPref, med, asPathPrepend, communities = [], largeCommunities = [] } = route;
  return [
    prefix,
    ...(localPref === undefined ? [] : [`LOCAL_PREF ${localPref} (internal peers)`]),
    ...(med === undefined ? [] : [`MED ${med}`]),
    ...(asPathPrepend === undefined ? [] : [`own AS prepended ${asPathPrepend} times (external peers)`]),
    ...(communities.length === 0 ? [] : [`communities ${communities.join(' ')}`]),
    ...(largeCommunities.length === 0 ? [] : [`large communities ${largeCommunities.join(' ')}`]),
  ].join(', ');
}
