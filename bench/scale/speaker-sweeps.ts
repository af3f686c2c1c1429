import { KnownSpeakerList } from '../../src/speaker/known-speakers.ts';
import { jsonPieces } from '../../src/telemetry/json-text.ts';
import { node } from '../../test/unit/speaker/fixtures.ts';
import { events, pairsOfEvents } from './events.ts';
import { addressOf, nodeName, parsed, poolConfig, ScaledSpeaker, type SpeakerSize } from './fixtures.ts';
import type { Sweep, Work } from './sweep.ts';

const serviceSizes = [1000, 3000, 10_000, 30_000, 100_000] as const;
const quickServices = [200, 800, 3200] as const;
const nodeSizes = [10, 100, 1000, 5000] as const;
const quickNodes = [10, 50, 250] as const;
type Layout = Omit<SpeakerSize, 'services' | 'nodes'>;

const bgp: Layout = { config: poolConfig('bgp') };
const layer2: Layout = { config: poolConfig('layer2') };
const bgpLocal: Layout = { config: poolConfig('bgp'), policy: 'Local' };
const layer2Local: Layout = { config: poolConfig('layer2'), policy: 'Local' };

function serviceEvents(size: SpeakerSize): Work {
  return serviceEventsOf(new ScaledSpeaker(size), size);
}

function serviceEventsWhileDraining(size: SpeakerSize): Work {
  const scaled = new ScaledSpeaker(size);
  scaled.leave();
  return serviceEventsOf(scaled, size);
}

/** A Service gets the address of its neighbour and another label, and then its own address again. */
function serviceEventsOf(scaled: ScaledSpeaker, size: SpeakerSize): Work {
  return pairsOfEvents(size.services, (i, lap) => {
    scaled.setService(i, { labels: { lap: String(lap) }, ingress: [{ ip: addressOf(i ^ 1) }] });
    scaled.setService(i, { ingress: [{ ip: addressOf(i) }] });
  });
}

function sliceEvents(size: SpeakerSize): Work {
  const scaled = new ScaledSpeaker(size);
  return pairsOfEvents(size.services, (i) => {
    scaled.setServing(i, false);
    scaled.setServing(i, true);
  });
}

/** Another node turns NotReady, and then Ready again. */
function nodeEvents(size: SpeakerSize): Work {
  const scaled = new ScaledSpeaker(size);
  let ready = true;
  const one = (round: number) => {
    ready = !ready;
    scaled.setReady(1 + (round % (size.nodes - 1)), ready);
  };
  let round = 0;
  return {
    units: 2,
    run: () => {
      round++;
      one(round);
      one(round);
    },
  };
}

/** The speaker's node turns NotReady, and then Ready again. The two changes cost different amounts, so each run has both. */
function ownNodeEvents(size: SpeakerSize): Work {
  const scaled = new ScaledSpeaker(size);
  return {
    units: 2,
    run: () => {
      scaled.setReady(0, false);
      scaled.setReady(0, true);
    },
  };
}

function edits(size: SpeakerSize, other: SpeakerSize['config']): Work {
  const scaled = new ScaledSpeaker(size);
  let round = 0;
  return {
    units: 1,
    run: () => {
      round++;
      scaled.setConfig(round % 2 === 0 ? size.config : other);
    },
  };
}

/** Each event changes only an annotation of a Node. Like a heartbeat of the kubelet, it changes nothing that matters to a speaker. */
function heartbeats(nodes: number): Work {
  const scaled = new ScaledSpeaker({ services: 100, nodes, ...bgp });
  const known = new KnownSpeakerList();
  for (let i = 0; i < nodes; i++) known.setNode(nodeName(i), node(nodeName(i)));
  return events(nodes, (i, lap) => {
    scaled.setReady(i, true, { heartbeat: String(lap) });
    if (known.setNode(nodeName(i), node(nodeName(i)))) JSON.stringify(known.speakers());
  });
}

const manyPools = (count: number) =>
  parsed(
    `address-pools:\n${Array.from({ length: count }, (_, i) => `- {name: p${i}, protocol: bgp, addresses: [10.${i >> 8}.${i & 255}.0/24]}`).join('\n')}\npeers: [{my-asn: 64512, peer-asn: 64500, peer-address: 192.0.2.1}]\n`,
  );

const manyPeers = (count: number) =>
  parsed(
    `address-pools: [{name: big, protocol: bgp, addresses: [10.0.0.0/8], bgp-advertisements: [{peers: [p0]}]}]\npeers:\n${Array.from({ length: count }, (_, i) => `- {name: p${i}, my-asn: 64512, peer-asn: 64500, peer-address: 192.0.${2 + (i >> 7)}.${1 + (i & 127)}}`).join('\n')}\n`,
  );

const aggregated = { config: poolConfig('bgp', 'bgp-advertisements: [{aggregation-length: 8}]') };
const aggregatedOther = poolConfig('bgp', 'bgp-advertisements: [{aggregation-length: 9}]');

const byServices = {
  part: 'speaker',
  by: 'Services',
  sizes: serviceSizes,
  quickSizes: quickServices,
} as const;
const byNodes = { part: 'speaker', by: 'nodes', sizes: nodeSizes, quickSizes: quickNodes } as const;

export const speakerSweeps: readonly Sweep[] = [
  {
    ...byServices,
    work: 'BGP: one Service event',
    kind: 'event',
    prepare: (services) => serviceEvents({ services, nodes: 10, ...bgp }),
  },
  {
    ...byServices,
    work: 'BGP, while all Services drain: one Service event',
    kind: 'event',
    prepare: (services) => serviceEventsWhileDraining({ services, nodes: 10, ...bgp }),
  },
  {
    ...byServices,
    work: 'BGP: one EndpointSlice event',
    kind: 'event',
    prepare: (services) => sliceEvents({ services, nodes: 10, ...bgp }),
  },
  {
    ...byServices,
    work: 'BGP: another node turns NotReady',
    kind: 'event',
    prepare: (services) => nodeEvents({ services, nodes: 10, ...bgp }),
  },
  {
    ...byNodes,
    work: 'BGP: another node turns NotReady',
    kind: 'event',
    prepare: (nodes) => nodeEvents({ services: 2000, nodes, ...bgp }),
  },
  {
    ...byServices,
    work: 'BGP, policy Local, 10 endpoints of Services on each node: another node turns NotReady',
    kind: 'event',
    prepare: (services) => nodeEvents({ services, nodes: services / 10, ...bgpLocal }),
  },
  {
    ...byServices,
    work: "BGP: the speaker's node turns NotReady or Ready",
    kind: 'whole',
    prepare: (services) => ownNodeEvents({ services, nodes: 10, ...bgp }),
  },
  {
    ...byServices,
    work: 'BGP: a configuration edit that changes all routes',
    kind: 'whole',
    prepare: (services) =>
      edits({ services, nodes: 10, ...bgp }, poolConfig('bgp', 'bgp-advertisements: [{localpref: 50}]')),
  },
  {
    ...byServices,
    work: 'BGP, all Services in one aggregated prefix: one Service event',
    kind: 'event',
    prepare: (services) => serviceEvents({ services, nodes: 10, ...aggregated }),
  },
  {
    ...byServices,
    work: 'BGP, all Services in one aggregated prefix: a configuration edit',
    kind: 'whole',
    prepare: (services) => edits({ services, nodes: 10, ...aggregated }, aggregatedOther),
  },
  {
    part: 'speaker',
    by: 'pools',
    sizes: [1, 10, 100, 1000, 4000],
    quickSizes: [10, 50, 250],
    work: 'BGP: one Service event',
    kind: 'event',
    prepare: (pools) => serviceEvents({ services: 2000, nodes: 10, config: manyPools(pools) }),
  },
  {
    part: 'speaker',
    by: 'peers',
    sizes: [1, 10, 100, 500],
    quickSizes: [10, 50, 250],
    work: 'BGP, an advertisement for one peer: one Service event',
    kind: 'event',
    prepare: (peers) => serviceEvents({ services: 2000, nodes: 10, config: manyPeers(peers) }),
  },
  { ...byNodes, work: 'one Node heartbeat', kind: 'event', prepare: heartbeats },
  {
    ...byNodes,
    part: 'layer 2',
    work: 'plan: one Service event',
    kind: 'event',
    prepare: (nodes) => serviceEvents({ services: 1000, nodes, ...layer2 }),
  },
  {
    ...byServices,
    part: 'layer 2',
    work: 'plan: one Service event',
    kind: 'event',
    prepare: (services) => serviceEvents({ services, nodes: 100, ...layer2 }),
  },
  {
    ...byServices,
    part: 'layer 2',
    work: 'plan: another node turns NotReady',
    kind: 'event',
    prepare: (services) => nodeEvents({ services, nodes: 100, ...layer2 }),
  },
  {
    ...byNodes,
    part: 'layer 2',
    work: 'plan: another node turns NotReady',
    kind: 'event',
    prepare: (nodes) => nodeEvents({ services: 1000, nodes, ...layer2 }),
  },
  {
    ...byServices,
    part: 'layer 2',
    work: 'plan, policy Local, 10 endpoints of Services on each node: another node turns NotReady',
    kind: 'event',
    prepare: (services) => nodeEvents({ services, nodes: services / 10, ...layer2Local }),
  },
  {
    ...byServices,
    part: 'layer 2',
    work: 'plan: a configuration edit',
    kind: 'whole',
    prepare: (services) =>
      edits(
        { services, nodes: 100, ...layer2 },
        poolConfig('layer2', 'l2-advertisements: [{interfaces: [eth1]}]'),
      ),
  },
  {
    ...byServices,
    work: 'the text of /status about advertised and refused addresses',
    kind: 'whole',
    tables: 3,
    prepare: (services) => {
      const { speaker } = new ScaledSpeaker({ services, nodes: 10, ...bgp });
      const { results } = speaker;
      const body = () => ({
        advertised: Object.fromEntries(results.advertised()),
        notAnnounced: results.refusals(),
      });
      return { units: 1, run: () => void [...jsonPieces(body())] };
    },
  },
];
