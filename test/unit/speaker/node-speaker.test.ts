import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { formatPrefix } from '../../../src/address/index.ts';
import type { BgpSpeaker, ResolvedPeer } from '../../../src/bgp/index.ts';
import { CandidateSets } from '../../../src/layer2/candidate-sets.ts';
import type { EntriesChange } from '../../../src/layer2/messages.ts';
import { complete } from '../../../src/layer2/ownership/steps.ts';
import { NodeSpeaker } from '../../../src/speaker/node-speaker.ts';
import { Guard } from '../../../src/telemetry/guard.ts';
import { Turns } from '../../../src/turns.ts';
import { ip } from '../../support/addresses.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { config, node, peer, pool, service, slice } from './fixtures.ts';

/** A NodeSpeaker whose outputs are recorded. `take()` returns most of them, one line for each output. */
function recorded(over: { readonly ignoresExcludeLabel?: boolean; readonly adoptOnly?: boolean } = {}) {
  const lines: string[] = [];
  const peers: ResolvedPeer[][] = [];
  const uses: boolean[] = [];
  const sessions: string[] = [];
  const toBgp: string[] = [];
  const links = { isOnLink: true };
  const faults = { isWithdrawalBroken: false };
  const planned: string[] = [];
  const sets = new CandidateSets();
  const bgp: BgpSpeaker = {
    setPeers: (all) => {
      peers.push([...all]);
      lines.push(`peers ${all.map((p) => p.settings.name).join(' ')}`.trim());
    },
    announce: (name, prefix) => void lines.push(`announce ${name} ${formatPrefix(prefix)}`),
    withdraw: (name, prefix) => {
      if (faults.isWithdrawalBroken) throw new TypeError('bug');
      lines.push(`withdraw ${name} ${formatPrefix(prefix)}`);
    },
    synced: () => void lines.push('synced'),
    bfdChanged: (id, { state }) => void toBgp.push(`${id} ${state}`),
    interfacesChanged: () => undefined,
    status: () => [],
    stop: () => Promise.resolve(),
  };
  /** Ids of the present BFD sessions. */
  const sessionIds: string[] = [];
  const speaker = new NodeSpeaker({
    nodeName: 'node-1',
    isOurs: ({ name }) => {
      planned.push(name);
      if (name === 'bad') throw new TypeError('bug');
      return true;
    },
    isOnLink: () => links.isOnLink,
    bfd: {
      setSessions: (all) => {
        sessions.push(all.map(({ name, mode }) => `${name} ${mode.kind}`).join());
        sessionIds.splice(0, Number.POSITIVE_INFINITY, ...all.map(({ id }) => id));
      },
    },
    leavesWhenCordoned: false,
    ignoresExcludeLabel: over.ignoresExcludeLabel ?? false,
    bgp,
    layer2: {
      use: (isUsed) => void uses.push(isUsed),
      table: (all) => {
        const { upsert } = complete(sets.resolve({ kind: 'table', ...all }));
        lines.push(`table ${upsert.map(({ address }) => address).join(' ')}`.trim());
      },
      change: (change: EntriesChange) => {
        const { upsert, remove } = complete(sets.resolve({ kind: 'change', ...change }));
        lines.push(
          `change ${upsert.map((e) => `${e.address}:${e.candidates}`).join(' ')} -${remove.map(({ address }) => address)}`,
        );
      },
    },
    namespace: 'bellman-system',
    onLeaving: () => undefined,
    ...(over.adoptOnly ? { onAdoption: () => undefined } : {}),
    clock: new VirtualClock(),
    onPeerTrouble: ({ peer: name, reason }) => void lines.push(`trouble ${name}: ${reason}`),
    logger: pino({ level: 'silent' }),
    guard: new Guard({ logger: pino({ level: 'silent' }), count: () => void lines.push('guarded') }),
    turns: new Turns(new VirtualClock()),
  });
  return {
    speaker,
    peers,
    uses,
    sessions,
    sessionIds,
    toBgp,
    links,
    faults,
    planned,
    take: () => lines.splice(0),
  };
}

const both = config([
  pool('public', ['198.51.100.0/24']),
  pool('office', ['192.0.2.240/28'], { protocols: ['layer2'] }),
]);

test('NodeSpeaker announces nothing before start(), then everything, then End-of-RIB', () => {
  const { speaker, take } = recorded();
  speaker.setConfig(both);
  speaker.setNode('node-1', node('node-1'));
  speaker.setService('default/web', service('web', ['198.51.100.7']));
  speaker.setEndpointSlice('default/web-1', slice('web', ['node-1']));
  assert.deepEqual(take(), []);
  speaker.start();
  assert.deepEqual(take(), ['peers router', 'announce router 198.51.100.7/32', 'table', 'synced']);
});

test('NodeSpeaker announces all other Services when the planning of one Service raises an exception', () => {
  const { speaker, take } = recorded();
  speaker.setConfig(both);
  speaker.setNode('node-1', node('node-1'));
  for (const [name, address] of [
    ['bad', '198.51.100.6'],
    ['web', '198.51.100.7'],
  ] as const) {
    speaker.setService(`default/${name}`, service(name, [address]));
    speaker.setEndpointSlice(`default/${name}-1`, slice(name, ['node-1']));
  }
  speaker.start();
  assert.deepEqual(take(), ['peers router', 'guarded', 'announce router 198.51.100.7/32', 'table', 'synced']);
  speaker.setNode('node-1', node('node-1', { ready: false }));
  assert.deepEqual(take(), ['guarded', 'withdraw router 198.51.100.7/32']);
});

test('NodeSpeaker ends the deletion of a Service at the next attempt when the first one raises an exception', () => {
  const { speaker, faults } = recorded();
  speaker.setConfig(both);
  speaker.setNode('node-1', node('node-1'));
  speaker.setService('default/web', service('web', ['198.51.100.7']));
  speaker.setEndpointSlice('default/web-1', slice('web', ['node-1']));
  speaker.start();
  faults.isWithdrawalBroken = true;
  assert.throws(() => speaker.setService('default/web', undefined), TypeError);
  faults.isWithdrawalBroken = false;
  speaker.setService('default/web', undefined);
  assert.deepEqual([...speaker.results.advertised()], []);
  speaker.setService('default/web', service('web', []));
  assert.deepEqual([...speaker.results.advertised()], []);
});

test('NodeSpeaker plans each Service once when its node turns NotReady, and once when it turns Ready', () => {
  const { speaker, take, planned } = recorded();
  speaker.setConfig(both);
  speaker.setNode('node-1', node('node-1'));
  const names = ['a', 'b', 'c'];
  names.forEach((name, i) => {
    speaker.setService(`default/${name}`, service(name, [`198.51.100.${i}`]));
    speaker.setEndpointSlice(`default/${name}-1`, slice(name, ['node-1']));
  });
  speaker.start();
  speaker.setService('default/c', undefined);
  for (const [ready, what] of [
    [false, 'withdraw'],
    [true, 'announce'],
  ] as const) {
    take();
    planned.length = 0;
    speaker.setNode('node-1', node('node-1', { ready }));
    assert.deepEqual(planned, ['a', 'b']);
    assert.deepEqual(take(), [`${what} router 198.51.100.0/32`, `${what} router 198.51.100.1/32`]);
  }
});

test('NodeSpeaker announces from a node with the exclude label when the configuration or the flag says so', () => {
  const labels = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
  const labelled = (ignoresExcludeLabel: boolean) => {
    const harness = recorded({ ignoresExcludeLabel });
    harness.speaker.setConfig(both);
    harness.speaker.setNode('node-1', node('node-1', { labels }));
    harness.speaker.setService('default/web', service('web', ['198.51.100.7']));
    harness.speaker.setEndpointSlice('default/web-1', slice('web', ['node-1']));
    harness.speaker.start();
    return harness;
  };
  const announced = ['peers router', 'announce router 198.51.100.7/32', 'table', 'synced'];
  assert.deepEqual(labelled(true).take(), announced);
  const { speaker, take } = labelled(false);
  assert.deepEqual(take(), ['peers router', 'table', 'synced']);
  assert.equal(speaker.isOut('node-1'), true);
  speaker.setConfig({ ...both, ignoreExcludedNodes: true });
  assert.deepEqual(take(), ['announce router 198.51.100.7/32']);
  assert.equal(speaker.isOut('node-1'), false);
  speaker.setConfig(both);
  assert.deepEqual(take(), ['withdraw router 198.51.100.7/32']);
});

test('NodeSpeaker passes on only the differences after a change of a Service or its endpoints', () => {
  const { speaker, take } = recorded();
  speaker.setConfig(both);
  speaker.setNode('node-1', node('node-1'));
  speaker.start();
  take();
  speaker.setService('default/web', service('web', ['198.51.100.7']));
  assert.deepEqual(take(), []);
  speaker.setEndpointSlice('default/web-1', slice('web', ['node-2']));
  assert.deepEqual(take(), ['announce router 198.51.100.7/32']);
  speaker.setEndpointSlice('default/web-2', slice('web', ['node-1']));
  speaker.setEndpointSlice('default/web-1', undefined);
  assert.deepEqual(take(), []);
  speaker.setEndpointSlice('default/web-2', slice('web', []));
  assert.deepEqual(take(), ['withdraw router 198.51.100.7/32']);
  speaker.setService('default/printer', service('printer', ['192.0.2.241']));
  speaker.setEndpointSlice('default/printer-1', slice('printer', ['node-2']));
  assert.deepEqual(take(), ['change 192.0.2.241: -', 'change 192.0.2.241:node-1 -']);
  speaker.setService('default/printer', undefined);
  assert.deepEqual(take(), ['change  -192.0.2.241']);
});

test('NodeSpeaker keeps the routes that a new configuration does not change', () => {
  const { speaker, take } = recorded();
  speaker.setConfig(both);
  speaker.setNode('node-1', node('node-1'));
  speaker.setService('default/web', service('web', ['198.51.100.7']));
  speaker.setEndpointSlice('default/web-1', slice('web', ['node-1']));
  speaker.start();
  take();
  speaker.setConfig(config([pool('renamed', ['198.51.100.0/25']), pool('new', ['203.0.113.0/24'])]));
  assert.deepEqual(take(), []);
  speaker.setConfig(config([pool('renamed', ['198.51.100.0/25'])], [peer('router'), peer('spine')]));
  assert.deepEqual(take(), ['peers router spine', 'announce spine 198.51.100.7/32']);
});

test('NodeSpeaker withdraws its routes when its node may no longer announce, and does nothing when only a heartbeat changes the Node', () => {
  const { speaker, take } = recorded();
  speaker.setConfig(both);
  speaker.setNode('node-1', node('node-1'));
  speaker.setService('default/web', service('web', ['198.51.100.7']));
  speaker.setEndpointSlice('default/web-1', slice('web', ['node-1']));
  speaker.start();
  take();
  speaker.setNode('node-1', node('node-1', { annotations: { heartbeat: '1' } }));
  assert.deepEqual(take(), []);
  speaker.setNode('node-1', node('node-1', { ready: false }));
  assert.deepEqual(take(), ['withdraw router 198.51.100.7/32']);
  speaker.setNode('node-1', node('node-1'));
  assert.deepEqual(take(), ['announce router 198.51.100.7/32']);
});

test('NodeSpeaker keeps its sessions when its Node object is deleted and created again', () => {
  const { speaker, take } = recorded();
  speaker.setConfig({
    ...both,
    peers: [peer('router', { nodeSelectors: [{ matchLabels: { rack: 'a' }, matchExpressions: [] }] })],
  });
  const present = node('node-1', { labels: { rack: 'a' }, internalIPs: ['192.0.2.11'] });
  speaker.setNode('node-1', present);
  speaker.setService('default/web', service('web', ['198.51.100.7']));
  speaker.setEndpointSlice('default/web-1', slice('web', ['node-1']));
  speaker.start();
  assert.ok(take().includes('peers router'));
  speaker.setNode('node-1', undefined);
  assert.deepEqual(take(), ['withdraw router 198.51.100.7/32']);
  speaker.setNode('node-1', { ...present, internalIPs: [] });
  speaker.setNode('node-1', present);
  assert.deepEqual(take(), ['announce router 198.51.100.7/32']);
});

test('NodeSpeaker makes a session wait for its password, takes each new password, and keeps the last one when the Secret is deleted', () => {
  const { speaker, peers, take } = recorded();
  const secret = (data: Record<string, string>) => ({
    namespace: 'bellman-system',
    name: 'tor',
    data: Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, new TextEncoder().encode(value)]),
    ),
  });
  const passwordSecret = { name: 'tor', key: 'password' };
  speaker.setConfig(config([], [peer('router', { passwordSecret })]));
  speaker.setNode('node-1', node('node-1'));
  speaker.start();
  const absent =
    'Secret bellman-system/tor does not exist or lacks the label bellman.dev/secret=peer-password (kubectl -n bellman-system label secret tor bellman.dev/secret=peer-password)';
  const missing = `${absent}: the session waits for its password`;
  assert.deepEqual(take(), ['peers router', `trouble router: ${missing}`, 'table', 'synced']);
  assert.equal(peers.at(-1)?.[0]?.waitingFor, missing);
  speaker.setSecret('tor', secret({ pasword: 'one' }));
  const lacking =
    'Secret bellman-system/tor has no key password, only pasword: the session waits for its password';
  assert.deepEqual(take(), ['peers router', `trouble router: ${lacking}`]);
  speaker.setSecret('tor', secret({ password: 'x'.repeat(81) }));
  assert.match(
    peers.at(-1)?.[0]?.waitingFor ?? '',
    /tor has more than 80 octets at key password: the session waits/,
  );
  take();
  speaker.setSecret('tor', secret({ password: 'one' }));
  assert.deepEqual(take(), ['peers router']);
  assert.equal(peers.at(-1)?.[0]?.password, 'one');
  assert.equal(peers.at(-1)?.[0]?.waitingFor, undefined);
  speaker.setSecret('tor', secret({ password: 'two' }));
  assert.equal(peers.at(-1)?.[0]?.password, 'two');
  take();
  speaker.setSecret('tor', secret({ password: 'two' }));
  assert.deepEqual(take(), []);
  speaker.setSecret('tor', undefined);
  const kept = `${absent}: the session keeps its last password`;
  assert.deepEqual(take(), ['peers router', `trouble router: ${kept}`]);
  assert.equal(peers.at(-1)?.[0]?.password, 'two');
  assert.equal(peers.at(-1)?.[0]?.warning, kept);
  // The password belongs to the old router, so a new router with the same name does not get it.
  speaker.setConfig(config([], [peer('router', { passwordSecret, address: ip('10.0.0.2') })]));
  assert.equal(peers.at(-1)?.[0]?.password, undefined);
  assert.equal(peers.at(-1)?.[0]?.waitingFor, missing);
});

test('NodeSpeaker says with each configuration whether layer 2 is used, also before the start', () => {
  const { speaker, uses, take } = recorded();
  const onlyBgp = config([pool('public', ['198.51.100.0/24'])]);
  speaker.setConfig(onlyBgp);
  speaker.setConfig(both);
  assert.deepEqual(uses.splice(0), [false, true]);
  speaker.setNode('node-1', node('node-1'));
  speaker.setService('default/printer', service('printer', ['192.0.2.241']));
  speaker.setEndpointSlice('default/printer-1', slice('printer', ['node-1']));
  speaker.start();
  assert.deepEqual(take(), ['peers router', 'table 192.0.2.241', 'synced']);
  speaker.setConfig(onlyBgp);
  assert.deepEqual([uses, take()], [[false], ['change  -192.0.2.241']]);
});

test('NodeSpeaker sends the BFD sessions of its peers, and reports to BGP when a peer gets a new session', () => {
  const { speaker, sessions, sessionIds, toBgp, links } = recorded();
  const bfdProfiles = [
    {
      ...{ name: 'fast', receiveIntervalMs: 300, transmitIntervalMs: 300, detectMultiplier: 3 },
      ...{ echoIntervalMs: 50, echoMode: false, passiveMode: false, minimumTtl: 254 },
    },
  ];
  const bfd = { profile: 'fast', strict: 'off', holdDownSeconds: 0 } as const;
  const withPeer = (over: Parameters<typeof peer>[1]) => ({
    ...config([], [peer('router', { bfd, ...over })]),
    bfdProfiles,
  });
  links.isOnLink = false;
  speaker.setNode('node-1', node('node-1'));
  speaker.setConfig(withPeer({ peerAsn: 'internal' }));
  speaker.start();
  assert.deepEqual(sessions.splice(0), ['router multihop']);
  speaker.interfacesChanged();
  assert.deepEqual(sessions.splice(0), [], 'nothing has changed');
  links.isOnLink = true;
  toBgp.length = 0;
  speaker.interfacesChanged();
  assert.deepEqual(sessions.splice(0), ['router single-hop']);
  assert.deepEqual(toBgp.splice(0), ['router Down']);
  const [id = ''] = sessionIds;
  assert.deepEqual(speaker.peersOfBfdSession(id), [{ id: 'router', name: 'router' }]);
  speaker.setConfig(withPeer({ peerAsn: 'internal', name: 'tor' }));
  assert.deepEqual(
    speaker.peersOfBfdSession(id),
    [{ id: 'router', name: 'tor' }],
    'a new name keeps the session',
  );
  assert.deepEqual(toBgp.splice(0), []);
  speaker.setConfig(config([], [peer('tor')]));
  assert.deepEqual(sessions.at(-1), '');
});

const admittedNode = node('node-1', { labels: { 'bellman.dev/takeover': 'true' } });
const announcing = 'bellman.dev/announcing';

/** A speaker with `--adopt-only` that has read one Service of each protocol. */
function adopting() {
  const harness = recorded({ adoptOnly: true });
  const { speaker, take } = harness;
  speaker.setConfig(both);
  speaker.setNode('node-1', node('node-1'));
  speaker.setService('default/web', service('web', ['198.51.100.7']));
  speaker.setEndpointSlice('default/web-1', slice('web', ['node-1']));
  speaker.setService('default/printer', service('printer', ['192.0.2.241']));
  speaker.setEndpointSlice('default/printer-1', slice('printer', ['node-1']));
  speaker.start();
  const started = take();
  const { adoption } = speaker;
  assert.ok(adoption);
  const held = () => [...adoption.held()].map(({ address, isAdmitted }) => `${address} ${isAdmitted}`);
  return { ...harness, adoption, started, held };
}

test('NodeSpeaker with --adopt-only has no peers and announces nothing, and says what it would announce', () => {
  const { speaker, started, held } = adopting();
  assert.deepEqual(started, ['table 192.0.2.241', 'synced']);
  assert.deepEqual(held(), ['198.51.100.7 false', '192.0.2.241 false']);
  assert.deepEqual(
    speaker.results.refusals().map(({ cause, reason }) => `${cause}: ${reason}`),
    [
      'adopt-only: adopt-only: node node-1 would announce it to router',
      'adopt-only: adopt-only: node node-1 would answer for it',
    ],
  );
  assert.deepEqual([...speaker.results.advertised()], []);
});

test('NodeSpeaker announces by BGP when its Node is admitted and no other program has a session: routes first, then peers', () => {
  const { speaker, adoption, take, held } = adopting();
  speaker.setOtherSessions(new Set(['router']));
  speaker.setNode('node-1', admittedNode);
  assert.equal(adoption.bgp, 'waiting');
  assert.deepEqual(take(), []);
  speaker.setOtherSessions(new Set());
  assert.equal(adoption.bgp, 'live');
  assert.deepEqual(take(), ['announce router 198.51.100.7/32', 'peers router']);
  assert.deepEqual(held(), ['192.0.2.241 false']);
});

test('NodeSpeaker on an admitted Node does not announce by BGP before it knows the sessions of other programs', () => {
  const { speaker, adoption, take } = adopting();
  speaker.setNode('node-1', admittedNode);
  assert.equal(adoption.bgp, 'waiting');
  assert.deepEqual(take(), []);
});

test('NodeSpeaker ends its sessions at once when its Node is no longer admitted, and then waits for other programs again', () => {
  const { speaker, adoption, take } = adopting();
  speaker.setOtherSessions(new Set());
  speaker.setNode('node-1', admittedNode);
  take();
  speaker.setNode('node-1', node('node-1'));
  assert.deepEqual(take(), ['peers', 'withdraw router 198.51.100.7/32']);
  speaker.setNode('node-1', admittedNode);
  assert.equal(adoption.bgp, 'waiting');
  assert.deepEqual(take(), []);
});

test('NodeSpeaker names candidates for an admitted layer-2 address once a record names an owner, and also after the record is lost', () => {
  const { speaker, take, held } = adopting();
  speaker.setAdmittedPools(new Set(['office']));
  assert.deepEqual(take(), []);
  assert.deepEqual(held(), ['198.51.100.7 false', '192.0.2.241 true']);
  const recordedOn = (line: string | undefined) =>
    service('printer', ['192.0.2.241'], { annotations: line === undefined ? {} : { [announcing]: line } });
  speaker.setService('default/printer', recordedOn('192.0.2.241=node-1/eth0'));
  assert.deepEqual(take(), ['change 192.0.2.241:node-1 -']);
  speaker.setService('default/printer', recordedOn(undefined));
  assert.deepEqual(take(), ['change 192.0.2.241:node-1 -']);
  assert.deepEqual(held(), ['198.51.100.7 false']);
  speaker.setAdmittedPools(new Set());
  assert.deepEqual(take(), ['change 192.0.2.241: -']);
  speaker.setAdmittedPools('all');
  assert.deepEqual(held(), ['198.51.100.7 false', '192.0.2.241 true']);
});

test('NodeSpeaker names candidates for the layer-2 address of a Service that an annotation admits', () => {
  const { speaker, take, held } = adopting();
  const annotations = { 'bellman.dev/takeover': 'true', [announcing]: '192.0.2.241=node-2/eth0' };
  speaker.setService('default/printer', service('printer', ['192.0.2.241'], { annotations }));
  assert.deepEqual(take(), ['change 192.0.2.241:node-1 -']);
  assert.deepEqual(held(), ['198.51.100.7 false']);
});
