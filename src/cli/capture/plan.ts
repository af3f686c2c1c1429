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
const notReached = 'no speaker was reached';

export interface CapturePlan {
  readonly captures: readonly NodeCapture[];
  /** Nodes beyond `maxNodes`, which do not capture. */
  readonly omitted: readonly string[];
}

/** Finds the peer with this name or this address. Returns its name. */
export function peerNamed(text: string, config: Config | undefined): string | undefined {
  const ip = parseIp(text);
  const address = ip && formatIp(ip);
  return config?.peers.find((peer) => peer.name === text || formatIp(peer.address) === address)?.name;
}

/** Plans the capture of the session with a peer, on each node that has this session. At most `maxNodes` nodes capture. */
export function planPeer(peer: string, speakers: readonly SpeakerView[], only: string | undefined) {
  return limited(
    reached(speakers, only)
      .filter(({ status }) => status.peers.some(({ name }) => name === peer))
      .map(({ node }) => ({ node, addresses: [], peers: [peer] })),
    `no speaker that was reached has a session with the peer ${peer}`,
  );
}

/**
 * Plans the capture of some addresses. The node that answers for an address captures ARP and Neighbour Discovery. Each node that announces an
 * address by BGP captures the sessions that carry the address. When no node announces any of the addresses, the first nodes that were reached
 * capture ARP and Neighbour Discovery, because the requests of clients arrive there too. At most `maxNodes` nodes capture in each case.
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
      notReached,
    );
  const found = announcing.filter((each) => each.addresses.length > 0 || each.peers.length > 0);
  const listening = all.map(({ node }) => ({ node, addresses, peers: [] }));
  return limited(found.length > 0 ? found : listening, notReached);
}

function reached(
  speakers: readonly SpeakerView[],
  only: string | undefined,
): { readonly node: string; readonly status: SpeakerStatus }[] {
  return speakers.flatMap(({ node, status }) =>
    status.ok && (only === undefined || only === node) ? [{ node, status: status.value }] : [],
  );
}

function limited(captures: readonly NodeCapture[], fault: string): Result<CapturePlan, string> {
  if (captures.length === 0) return fail(fault);
  return ok({
    captures: captures.slice(0, maxNodes),
    omitted: captures.slice(maxNodes).map(({ node }) => node),
  });
}

/** Says which nodes are left out; empty when none are. */
export function omittedText({ omitted }: CapturePlan): string {
  return omitted.length === 0
    ? ''
    : `not captured on ${shortList(omitted)}; name a node with --node to capture there`;
}
