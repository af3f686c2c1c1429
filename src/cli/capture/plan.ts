/** Decides which nodes capture what. Pure. */
import { formatIp, parseIp } from '../../address/index.ts';
import type { SpeakerStatus } from '../../cluster/status.ts';
import type { Config } from '../../config/index.ts';
import type { SpeakerView } from '../../report/status/view.ts';
import { shortList } from '../../report/status/words.ts';
import { fail, ok, type Result } from '../../result.ts';

/** The capture of one node. */
export interface NodeCapture {
  readonly node: string;
  readonly addresses: readonly string[];
  readonly peers: readonly string[];
}

/** Hundreds of nodes may announce a Service by BGP. The frames of a few of them are enough. */
const maxNodes = 8;

export interface CapturePlan {
  readonly captures: readonly NodeCapture[];
  /** Nodes beyond `maxNodes`, which do not capture. */
  readonly omitted: readonly string[];
  /** Nodes whose speakers were not reached. Empty when the user has named the node. */
  readonly unreached: readonly string[];
  /** Whether a speaker that was not reached may be the only one that announces the address. */
  readonly mayLackAnnouncer: boolean;
}

/** Finds the peers with this name or this address. Returns their names. Peers of different nodes may share an address. */
export function peersNamed(text: string, config: Config | undefined): string[] {
  const ip = parseIp(text);
  const address = ip && formatIp(ip);
  const named = config?.peers.filter((peer) => peer.name === text || formatIp(peer.address) === address);
  return named?.map(({ name }) => name) ?? [];
}

/** Plans the capture of the sessions with some peers, on each node that has such a session. At most `maxNodes` nodes capture. */
export function planPeers(
  peers: readonly string[],
  speakers: readonly SpeakerView[],
  only: string | undefined,
): Result<CapturePlan, string> {
  const holder =
    only === undefined ? 'no speaker that was reached has a' : `the speaker of node ${only} has no`;
  const fault = `${holder} session with the peer ${peers.join(' or ')}`;
  const captures = reached(speakers, only).map(({ node, status }) => ({
    ...{ node, addresses: [] },
    peers: peers.filter((peer) => status.peers.some(({ name }) => name === peer)),
  }));
  return limited(
    captures.filter((each) => each.peers.length > 0),
    speakers,
    only,
    fault,
  );
}

/**
 * Plans the capture of some addresses. The node that answers for an address captures ARP and Neighbour Discovery. Each node that announces an
 * address by BGP captures the sessions that carry the address. When no speaker that was reached announces any of the addresses, the nodes of
 * all reached speakers capture ARP and Neighbour Discovery, because they receive the requests of clients too. At most `maxNodes` nodes capture.
 */
export function planAddresses(
  addresses: readonly string[],
  speakers: readonly SpeakerView[],
  only: string | undefined,
): Result<CapturePlan, string> {
  const all = reached(speakers, only);
  const announcing = all.map(({ node, status }) => ({
    node,
    addresses: addresses.filter((address) => status.announcing[address] !== undefined),
    peers: [...new Set(addresses.flatMap((address) => status.advertised[address] ?? []))],
  }));
  // On a node that the user has named, the addresses are captured whether or not it announces them.
  if (only !== undefined)
    return limited(
      announcing.map((each) => ({ ...each, addresses })),
      speakers,
      only,
    );
  const found = announcing.filter((each) => each.addresses.length > 0 || each.peers.length > 0);
  if (found.length > 0) return limited(found, speakers, only);
  const plan = limited(
    all.map(({ node }) => ({ node, addresses, peers: [] })),
    speakers,
    only,
  );
  return plan.ok ? ok({ ...plan.value, mayLackAnnouncer: plan.value.unreached.length > 0 }) : plan;
}

function reached(
  speakers: readonly SpeakerView[],
  only: string | undefined,
): { readonly node: string; readonly status: SpeakerStatus }[] {
  return speakers.flatMap(({ node, status }) =>
    status.ok && (only === undefined || only === node) ? [{ node, status: status.value }] : [],
  );
}

function limited(
  captures: readonly NodeCapture[],
  speakers: readonly SpeakerView[],
  only: string | undefined,
  fault = 'no speaker was reached',
): Result<CapturePlan, string> {
  if (captures.length === 0) return fail((only !== undefined && faultOf(only, speakers)) || fault);
  const unreached = speakers.filter(({ status }) => only === undefined && !status.ok);
  return ok({
    captures: captures.slice(0, maxNodes),
    omitted: captures.slice(maxNodes).map(({ node }) => node),
    unreached: unreached.map(({ node }) => node),
    mayLackAnnouncer: false,
  });
}

/** Why the node cannot capture anything; `undefined` when its speaker was reached. */
function faultOf(name: string, speakers: readonly SpeakerView[]): string | undefined {
  const status = speakers.find(({ node }) => node === name)?.status;
  if (!status) return `there is no node ${name}`;
  return status.ok ? undefined : `the speaker of node ${name} was not reached: ${status.error}`;
}

/** Says which nodes are left out. */
export function leftOutTexts({ omitted, unreached }: CapturePlan): string[] {
  const speaker = unreached.length === 1 ? 'its speaker was' : 'their speakers were';
  return [
    ...(omitted.length > 0
      ? [`not captured on ${shortList(omitted)}; name a node with --node to capture there`]
      : []),
    ...(unreached.length > 0
      ? [`not captured on ${shortList(unreached)}, because ${speaker} not reached`]
      : []),
  ];
}
