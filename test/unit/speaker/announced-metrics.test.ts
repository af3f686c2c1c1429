import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import type { RefusalCause } from '../../../src/cluster/status.ts';
import { type AnnouncedSources, registerAnnouncedMetrics } from '../../../src/speaker/announced-metrics.ts';

const speakerWith = (results: Partial<AnnouncedSources['speaker']['results']>) => ({
  serviceKeysOf: () => [],
  results: {
    advertisedByService: () => [],
    refusalsByService: () => [],
    notToAnnounceByService: () => [],
    ...results,
  },
});

/** The samples of a metric, for a speaker in this state. */
async function samples(metric: string, state: Partial<AnnouncedSources>): Promise<string[]> {
  const registry = new Registry();
  registerAnnouncedMetrics(registry, {
    nodeName: 'node-1',
    sync: { missing: [] },
    speaker: speakerWith({}),
    peers: () => [],
    owned: () => [],
    inConflict: () => [],
    ...state,
  });
  return (await registry.metrics()).split('\n').filter((line) => line.startsWith(`${metric}{`));
}

test('the sample of an address that BGP should announce is 1 while a session with one of its peers is Established, and otherwise 0', async () => {
  const advertised = [
    ['default/web', [{ address: '198.51.100.1', peers: ['a', 'b'] }]],
    ['default/mail', [{ address: '198.51.100.2', peers: ['a'] }]],
  ] as const;
  const lines = await samples('bellman_speaker_announced', {
    speaker: speakerWith({ advertisedByService: () => advertised }),
    peers: () => [
      { name: 'a', state: 'Idle', families: [] },
      { name: 'b', state: 'Established', families: ['ipv4-unicast'] },
    ],
  });
  assert.deepEqual(lines, [
    'bellman_speaker_announced{service="default/web",protocol="bgp",node="node-1",ip="198.51.100.1"} 1',
    'bellman_speaker_announced{service="default/mail",protocol="bgp",node="node-1",ip="198.51.100.2"} 0',
  ]);
});

test('the sample of an address is 0 while no session that is Established carries routes of its family', async () => {
  const advertised = [
    ['default/web', ['198.51.100.1', '2001:db8::1'].map((address) => ({ address, peers: ['four', 'six'] }))],
  ] as const;
  const values = async (...peers: ReturnType<AnnouncedSources['peers']>) => {
    const speaker = speakerWith({ advertisedByService: () => advertised });
    const lines = await samples('bellman_speaker_announced', { speaker, peers: () => peers });
    return lines.map((line) => line.at(-1)).join('');
  };
  const four = { name: 'four', state: 'Established', families: ['ipv4-unicast'] };
  const six = { name: 'six', state: 'Established', families: ['ipv6-unicast'] };
  assert.equal(await values(four), '10');
  assert.equal(await values(six), '01');
  assert.equal(await values(four, six), '11');
  assert.equal(await values({ ...four, families: [] }), '00');
});

test('an address that this node answers for has a sample for each Service that shares it', async () => {
  const lines = await samples('bellman_speaker_announced', {
    speaker: { ...speakerWith({}), serviceKeysOf: () => ['default/dns-tcp', 'default/dns-udp'] },
    owned: () => ['192.0.2.1'],
  });
  assert.deepEqual(lines, [
    'bellman_speaker_announced{service="default/dns-tcp",protocol="layer2",node="node-1",ip="192.0.2.1"} 1',
    'bellman_speaker_announced{service="default/dns-udp",protocol="layer2",node="node-1",ip="192.0.2.1"} 1',
  ]);
});

const refusal = (address: string, cause: RefusalCause) => ({ address, cause, reason: '', field: '' });
const refusing: Partial<AnnouncedSources> = {
  speaker: speakerWith({
    refusalsByService: () => [
      ['default/web', [refusal('192.0.2.1', 'no-endpoint'), refusal('2001:db8::1', 'no-endpoint')]],
      ['default/mail', [refusal('192.0.2.2', 'node')]],
    ],
  }),
};

test('refusals are counted by cause, with a zero for each cause that does not occur', async () => {
  const lines = await samples('bellman_speaker_refusals', refusing);
  assert.ok(
    lines.includes('bellman_speaker_refusals{node="node-1",cause="no-endpoint"} 2'),
    lines.join('\n'),
  );
  assert.ok(lines.includes('bellman_speaker_refusals{node="node-1",cause="node"} 1'));
  assert.ok(lines.includes('bellman_speaker_refusals{node="node-1",cause="no-peer"} 0'));
});

test('each address of a Service without a ready endpoint has a sample', async () => {
  assert.deepEqual(await samples('bellman_speaker_without_endpoints', refusing), [
    'bellman_speaker_without_endpoints{service="default/web",node="node-1",ip="192.0.2.1"} 1',
    'bellman_speaker_without_endpoints{service="default/web",node="node-1",ip="2001:db8::1"} 1',
  ]);
});

test('each address that this node holds back, because another program may announce it, has a sample', async () => {
  const speaker = speakerWith({ notToAnnounceByService: () => [['default/web', ['192.0.2.1']]] });
  assert.deepEqual(await samples('bellman_speaker_not_to_announce', { speaker }), [
    'bellman_speaker_not_to_announce{service="default/web",node="node-1",ip="192.0.2.1"} 1',
  ]);
});

test('an address that another host uses has a sample', async () => {
  assert.deepEqual(await samples('bellman_speaker_in_conflict', { inConflict: () => ['192.0.2.1'] }), [
    'bellman_speaker_in_conflict{node="node-1",ip="192.0.2.1"} 1',
  ]);
});

test('a speaker is in sync when no kind of objects is missing', async () => {
  for (const [missing, value] of [
    [[], 1],
    [['services'], 0],
  ] as const)
    assert.deepEqual(await samples('bellman_speaker_in_sync', { sync: { missing } }), [
      `bellman_speaker_in_sync{node="node-1"} ${value}`,
    ]);
});
