/** Answers on links that go down, return, lose and regain the subnet of the address, or never have it. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cable, type NetworkNamespace } from '../../lab/netns.ts';
import { eventually } from '../support/eventually.ts';
import { NeighbourHost } from '../support/neighbour-client.ts';
import { macOf, Segment } from '../support/segment.ts';

const ipv4 = '192.0.2.200';
const ipv6 = '2001:db8::5:200';
let segment: Segment;
let node: NetworkNamespace;
let client: NetworkNamespace;
let responder: NeighbourHost;

before(async () => {
  segment = await Segment.create();
  node = await segment.host('node', 1);
  client = await segment.host('client', 3);
  // A second link with a subnet of its own.
  await cable(
    { namespace: node, interface: 'eth1', mac: macOf(11), addresses: ['198.51.100.1/24'] },
    { namespace: client, interface: 'eth1', mac: macOf(13), addresses: ['198.51.100.3/24'] },
  );
  responder = await NeighbourHost.start(node);
  await responder.ask({ do: 'add', addresses: [ipv4, ipv6] });
});
after(async () => {
  assert.equal(await responder?.stop(), 0, 'nothing keeps the process alive');
});

/** Whether one request of each family gets an answer on the link. */
async function isAnswered(interfaceName = 'eth0'): Promise<boolean> {
  return (await arpAnswers(ipv4, interfaceName)) && (await ndpAnswers(ipv6, interfaceName));
}

async function arpAnswers(address: string, interfaceName: string): Promise<boolean> {
  const text = await client
    .exec('arping', '-c', '1', '-w', '1', '-I', interfaceName, address)
    .catch(() => 'Received 0');
  return /Received 1/.test(text);
}

async function ndpAnswers(address: string, interfaceName: string): Promise<boolean> {
  return client.exec('ndisc6', '-q', '-r', '1', '-w', '500', address, interfaceName).then(
    () => true,
    () => false,
  );
}

/** Whether the kernel of the client gets an answer on the link. Unlike ndisc6, the kernel ignores an announcement that arrives on another link. */
async function kernelResolves(address: string, interfaceName: string): Promise<boolean> {
  const route = [`${address}/128`, 'dev', interfaceName];
  await client.ip('-6', 'route', 'add', ...route);
  await client.exec('ping', '-6', '-c', '1', '-W', '3', '-I', interfaceName, address).catch(() => '');
  const entry = await client.ip('-6', 'neigh', 'show', address, 'dev', interfaceName);
  await client.ip('-6', 'route', 'del', ...route);
  return /lladdr/.test(entry);
}

test('both families are answered on the link that has the subnet of the address', async () => {
  await eventually('answers', () => isAnswered());
});

test('a link without the subnet of the address stays silent', async () => {
  assert.deepEqual(await responder.ask({ do: 'carriers', address: ipv4 }), ['eth0']);
  assert.equal(await arpAnswers(ipv4, 'eth1'), false);
  assert.equal(await kernelResolves(ipv6, 'eth0'), true);
  assert.equal(await kernelResolves(ipv6, 'eth1'), false);
});

test('an address with a named link is answered only on that link, even if the link does not have the subnet', async () => {
  const named = '192.0.2.201';
  await responder.ask({ do: 'add', addresses: [named], interfaces: ['eth1'] });
  assert.equal(await arpAnswers(named, 'eth1'), true);
  assert.equal(await arpAnswers(named, 'eth0'), false);
  await responder.ask({ do: 'remove', addresses: [named] });
});

test('answers return after the link goes down and up', async () => {
  for (let i = 0; i < 3; i++) {
    await node.ip('link', 'set', 'eth0', 'down');
    await node.ip('link', 'set', 'eth0', 'up');
    // The kernel drops IPv6 addresses of a link that goes down, and with them the subnet.
    await node.ip('address', 'replace', '2001:db8::1/64', 'dev', 'eth0', 'nodad');
    await eventually('answers after down and up', () => isAnswered());
  }
});

test("answers return after the switch's port goes down and up", async () => {
  await segment.switch.ip('link', 'set', 'node', 'down');
  await eventually('the link to stop carrying the address', async () => {
    const carriers = (await responder.ask({ do: 'carriers', address: ipv4 })) as string[];
    return carriers.length === 0;
  });
  await segment.switch.ip('link', 'set', 'node', 'up');
  await eventually('answers after the carrier came back', () => isAnswered());
});

test('answers and multicast groups return after the interface is deleted and recreated', async () => {
  await node.ip('link', 'delete', 'eth0');
  await eventually('the link to stop carrying the address', async () => {
    const carriers = (await responder.ask({ do: 'carriers', address: ipv4 })) as string[];
    return carriers.length === 0;
  });
  await segment.plug(node, 1);
  await eventually('answers on the new interface', () => isAnswered());
  assert.match(await node.ip('maddress', 'show', 'dev', 'eth0'), /ff02::1:ff05:200/);
});

test('answers stop when the subnet is removed and return when it is added again', async () => {
  await node.ip('address', 'del', '192.0.2.1/24', 'dev', 'eth0');
  await eventually('silence', async () => !(await arpAnswers(ipv4, 'eth0')));
  await node.ip('address', 'add', '192.0.2.1/24', 'dev', 'eth0');
  await eventually('answers', () => arpAnswers(ipv4, 'eth0'));
});

test('the bridge answers in place of a link that becomes its member', async () => {
  await node.ip('link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0');
  await node.ip('link', 'set', 'br0', 'up');
  await node.ip('link', 'set', 'eth0', 'master', 'br0');
  await node.ip('address', 'add', '192.0.2.1/24', 'dev', 'br0');
  await eventually('the bridge alone to carry the address', async () => {
    const carriers = (await responder.ask({ do: 'carriers', address: ipv4 })) as string[];
    return carriers.join() === 'br0';
  });
  await eventually('answers through the bridge', () => arpAnswers(ipv4, 'eth0'));
  await node.ip('link', 'set', 'eth0', 'nomaster');
  await node.ip('link', 'delete', 'br0');
  await eventually('answers on the link itself', () => isAnswered());
});

test("the switch's forwarding table points to the new owner after a takeover", async (t) => {
  const second = await segment.host('second', 2);
  const successor = await NeighbourHost.start(second);
  t.after(() => successor.stop());
  const moved = '192.0.2.220';
  await responder.ask({ do: 'add', addresses: [moved] });
  await responder.ask({ do: 'remove', addresses: [moved] });
  const isLearnt = async () => {
    const table = await segment.switch.exec('bridge', 'fdb', 'show', 'br', 'br0');
    return new RegExp(`^${macOf(2)} dev second`, 'm').test(table);
  };
  // The switch has learnt the port from earlier packets of the new owner's kernel.
  await eventually('the switch to forget the port', async () => {
    await segment.switch.ip('link', 'set', 'second', 'type', 'bridge_slave', 'fdb_flush');
    return !(await isLearnt());
  });
  await successor.ask({ do: 'add', addresses: [moved] });
  await eventually('the port to be learnt from the announcement', isLearnt);
  assert.equal(await arpAnswers(moved, 'eth0'), true);
});

test('requests with a priority tag get answers, and requests with the tag of a VLAN get none', async () => {
  const send = fileURLToPath(new URL('../support/send-tagged.ts', import.meta.url));
  const answeredToTag = async (vlan: number) =>
    Number(await client.exec(process.execPath, send, 'eth0', macOf(3), ipv4, String(vlan)));
  assert.equal(await answeredToTag(0), 1);
  assert.equal(await answeredToTag(5), 0);
  assert.ok(
    (await responder.metric('bellman_layer2_requests_dropped_total{protocol="arp",reason="other-vlan"}')) >=
      1,
  );
});

test('an address for which the kernel also answers is reported with the interface that has it and the link on which the kernel answers', async () => {
  assert.deepEqual(await responder.ask({ do: 'kernel-answers', address: ipv4 }), []);
  await node.ip('address', 'add', `${ipv4}/32`, 'dev', 'lo');
  await eventually('the warning', async () => {
    const answers = await responder.ask({ do: 'kernel-answers', address: ipv4 });
    return JSON.stringify(answers) === JSON.stringify([{ configuredOn: 'lo', answeredOn: 'eth0' }]);
  });
  await node.exec('sysctl', '-qw', 'net.ipv4.conf.all.arp_ignore=1');
  assert.deepEqual(await responder.ask({ do: 'kernel-answers', address: ipv4 }), []);
  await node.ip('address', 'del', `${ipv4}/32`, 'dev', 'lo');
});
