/** The ARP responder against `arping`, and against the kernels of other hosts on a switch. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { NetworkNamespace } from '../../lab/netns.ts';
import { eventually } from '../support/eventually.ts';
import { NeighbourHost } from '../support/neighbour-client.ts';
import { macOf, neighbour, poke, Segment, shortenReachableTime, watchStates } from '../support/segment.ts';

const service = '192.0.2.200';
let node: NetworkNamespace;
let other: NetworkNamespace;
let client: NetworkNamespace;
let responder: NeighbourHost;

before(async () => {
  const segment = await Segment.create();
  node = await segment.host('node', 1);
  other = await segment.host('other', 2);
  client = await segment.host('client', 3);
  responder = await NeighbourHost.start(node);
  await responder.ask({ do: 'add', addresses: [service] });
});
after(async () => {
  await responder?.stop();
});

describe('arping', () => {
  test('gets one answer to each broadcast, with the MAC address of the interface that answers', async () => {
    const text = await client.exec('arping', '-b', '-c', '3', '-w', '5', '-I', 'eth0', service);
    assert.match(text, /Received 3 response/);
    assert.match(
      text,
      new RegExp(`Unicast reply from ${service.replaceAll('.', '\\.')} \\[${macOf(1)}\\]`, 'i'),
    );
  });

  test('gets answers to unicast requests', async () => {
    const text = await client.exec('arping', '-c', '3', '-w', '5', '-I', 'eth0', service);
    assert.match(text, /Sent 3 probes \(1 broadcast\(s\)\)\nReceived 3 response/);
  });

  test('sees the address as taken in duplicate address detection', async () => {
    const outcome = await client.exec('arping', '-D', '-c', '2', '-w', '3', '-I', 'eth0', service).then(
      () => 'free',
      () => 'taken',
    );
    assert.equal(outcome, 'taken');
  });

  test('gets no answer for an address that was added and removed again', async () => {
    await responder.ask({ do: 'add', addresses: ['192.0.2.201'] });
    await responder.ask({ do: 'remove', addresses: ['192.0.2.201'] });
    const text = await client
      .exec('arping', '-c', '2', '-w', '2', '-I', 'eth0', '192.0.2.201')
      .catch((error: { stdout?: string }) => error.stdout ?? '');
    assert.match(text, /Received 0 response/);
  });
});

test("our answers take the kernel's neighbour entry from REACHABLE through STALE and PROBE back to REACHABLE", async () => {
  await shortenReachableTime(client);
  await watchStates(client, service, ['REACHABLE', 'STALE', 'PROBE', 'REACHABLE']);
  assert.equal((await neighbour(client, service)).mac, macOf(1));
});

test("a claim by another host is reported with that host's MAC address, the address is defended, and neighbours return to the owner", async () => {
  await poke(client, service);
  await other.ip('address', 'add', `${service}/32`, 'dev', 'eth0');
  await other.exec('arping', '-U', '-c', '1', '-w', '1', '-I', 'eth0', service).catch(() => '');
  const conflict = await eventually('the conflict to be reported', () =>
    responder.events.find((event) => event.kind === 'conflict'),
  );
  assert.deepEqual(conflict, {
    kind: 'conflict',
    mac: macOf(2),
    interface: 'eth0',
    action: 'defended',
    isSpeaker: false,
  });
  await other.ip('address', 'del', `${service}/32`, 'dev', 'eth0');
  await eventually('the client to send to the node again', async () => {
    await poke(client, service);
    return (await neighbour(client, service)).mac === macOf(1);
  });
  assert.ok((await responder.metric(`bellman_layer2_conflicts_total{ip="${service}"}`)) >= 1);
});

test('a probe distinguishes an address in use from a free one', async () => {
  assert.deepEqual(await responder.ask({ do: 'probe', address: '192.0.2.2' }), {
    kind: 'in-use',
    mac: macOf(2),
    interface: 'eth0',
  });
  assert.deepEqual(await responder.ask({ do: 'probe', address: '192.0.2.77' }), { kind: 'free' });
});

test('a takeover moves the neighbours of the old owner to the new one', async (t) => {
  const moved = '192.0.2.210';
  const successor = await NeighbourHost.start(other);
  t.after(() => successor.stop());
  await responder.ask({ do: 'add', addresses: [moved] });
  await poke(client, moved);
  await eventually('the client to know the first owner', async () => {
    await poke(client, moved);
    return (await neighbour(client, moved)).mac === macOf(1);
  });
  await responder.ask({ do: 'remove', addresses: [moved] });
  await successor.ask({ do: 'add', addresses: [moved] });
  await eventually(
    'the client to know the second owner, without a request',
    async () => (await neighbour(client, moved)).mac === macOf(2),
  );
});
