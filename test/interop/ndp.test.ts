/** Neighbour Discovery against ndisc6 and the kernels of other hosts on a switch. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { NetworkNamespace } from '../../lab/netns.ts';
import { eventually } from '../support/eventually.ts';
import { NeighbourHost } from '../support/neighbour-client.ts';
import { macOf, neighbour, poke, Segment, shortenReachableTime, watchStates } from '../support/segment.ts';

const service = '2001:db8::5:200';
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

test('ndisc6 resolves the address to the node', async () => {
  const text = await client.exec('ndisc6', service, 'eth0');
  assert.match(text, new RegExp(`Target link-layer address: ${macOf(1)}`, 'i'));
});

test("our answers take the kernel's neighbour entry from REACHABLE through STALE and PROBE back to REACHABLE", async () => {
  await shortenReachableTime(client);
  await watchStates(client, service, ['REACHABLE', 'STALE', 'PROBE', 'REACHABLE']);
  assert.equal((await neighbour(client, service)).mac, macOf(1));
  assert.doesNotMatch(await client.ip('neigh', 'show', service), /router/);
});

test("duplicate address detection of another host gets an answer, and that host's kernel gives the address up", async () => {
  await other.exec('sysctl', '-qw', 'net.ipv6.conf.eth0.accept_dad=1', 'net.ipv6.conf.eth0.dad_transmits=1');
  await other.ip('address', 'add', `${service}/64`, 'dev', 'eth0');
  await eventually('the kernel to find the duplicate', async () =>
    /dadfailed/.test(await other.ip('address', 'show', 'dev', 'eth0')),
  );
  await other.ip('address', 'del', `${service}/64`, 'dev', 'eth0');
});

test("another host's claim to the address is reported with that host's MAC address, the address is defended, and neighbours return to the owner", async () => {
  await poke(client, service);
  await other.exec('sysctl', '-qw', 'net.ipv6.conf.eth0.ndisc_notify=1');
  await other.ip('address', 'add', `${service}/64`, 'dev', 'eth0', 'nodad');
  // The claimant's kernel sends an advertisement when its link comes up.
  await other.ip('link', 'set', 'eth0', 'down');
  await other.ip('link', 'set', 'eth0', 'up');
  await other.ip('address', 'replace', `${service}/64`, 'dev', 'eth0', 'nodad');
  await eventually('the conflict to be reported', async () => {
    // The claimant sends its later advertisements only to the host that asks, so the node asks.
    await node.exec('ndisc6', '-q', '-r', '1', '-w', '100', service, 'eth0').catch(() => '');
    return responder.events.some((event) => event.kind === 'conflict' && event.mac === macOf(2));
  });
  await other.ip('address', 'del', `${service}/64`, 'dev', 'eth0');
  await other.ip('address', 'add', '2001:db8::2/64', 'dev', 'eth0', 'nodad');
  await eventually('the client to send to the node again', async () => {
    await poke(client, service);
    return (await neighbour(client, service)).mac === macOf(1);
  });
});

test('a probe distinguishes an address in use from a free one', async () => {
  assert.deepEqual(await responder.ask({ do: 'probe', address: '2001:db8::3' }), {
    kind: 'in-use',
    mac: macOf(3),
    interface: 'eth0',
  });
  assert.deepEqual(await responder.ask({ do: 'probe', address: '2001:db8::77' }), { kind: 'free' });
});

test('the node joins the solicited-node group that two addresses share, and leaves it when the last of them is removed', async () => {
  const group = /ff02::1:ff44:5566/;
  const shared = ['2001:db8::44:5566', '2001:db8::1:0:44:5566'];
  const isJoined = async () => group.test(await node.ip('maddress', 'show', 'dev', 'eth0'));
  await responder.ask({ do: 'add', addresses: shared });
  assert.equal(await isJoined(), true);
  await responder.ask({ do: 'remove', addresses: shared.slice(0, 1) });
  assert.equal(await isJoined(), true);
  await responder.ask({ do: 'remove', addresses: shared.slice(1) });
  assert.equal(await isJoined(), false);
});

test('the node joins thousands of groups, which are too many for a single socket', async () => {
  const addresses = Array.from({ length: 5000 }, (_, i) => `2001:db8::7:${(i + 1).toString(16)}`);
  await responder.ask({ do: 'add', addresses });
  const joined = (await node.ip('maddress', 'show', 'dev', 'eth0')).match(/inet6 ff02::1:ff/g) ?? [];
  assert.ok(joined.length >= 5000, `${joined.length} groups`);
  const last = addresses.at(-1) ?? '';
  assert.match(await client.exec('ndisc6', last, 'eth0'), new RegExp(macOf(1), 'i'));
  await responder.ask({ do: 'remove', addresses });
});

test('a takeover moves the neighbours of the old owner to the new one', async (t) => {
  const moved = '2001:db8::5:210';
  const successor = await NeighbourHost.start(other);
  t.after(() => successor.stop());
  await responder.ask({ do: 'add', addresses: [moved] });
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
