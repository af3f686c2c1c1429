/** BGP sessions with real routers, over a link that fails and returns. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { BgpSpeaker } from '../../src/bgp/index.ts';
import { watchLinks } from '../../src/link/link-watcher.ts';
import { createLogger } from '../../src/log.ts';
import { Guard } from '../../src/telemetry/guard.ts';
import { ip, prefix } from '../support/addresses.ts';
import { eventually } from '../support/eventually.ts';
import { bird } from './daemons/bird.ts';
import type { RunningDaemon } from './daemons/daemon.ts';
import {
  endProcess,
  ourIpv4,
  ourIpv6,
  ourSide,
  peer,
  plain,
  router,
  startRouter,
  type Wire,
  wire,
} from './scenario.ts';

const run = promisify(execFile);
const otherOurs = '198.18.0.1';
const otherTheirs = '198.18.0.2';
const lostAddress = `the node has lost the address ${ourIpv4}`;
const ipv4Route = '203.0.113.1/32';
const ipv6Route = '2001:db8:100::1/128';

describe('a link that fails', () => {
  let cable: Wire;
  let otherCable: Wire;
  let daemon: RunningDaemon;
  let other: RunningDaemon;
  let speaker: BgpSpeaker;
  const links = watchLinks(new Guard({ logger: createLogger('links', 'error') }));

  before(async () => {
    cable = await wire();
    otherCable = await wire({ ours: [otherOurs], theirs: [otherTheirs] });
    daemon = await startRouter(bird, cable, router());
    other = await startRouter(
      bird,
      otherCable,
      router({ localAddress: otherTheirs, routerId: otherTheirs }, { address: otherOurs }),
    );
    speaker = ourSide().speaker;
    links.onChange(() => speaker.interfacesChanged());
    speaker.setPeers([peer(), peer({ name: 'other', address: ip(otherTheirs) })]);
    for (const route of [ipv4Route, ipv6Route]) speaker.announce('router', prefix(route), plain);
    speaker.synced();
    await eventually('both sessions', () => states().every((state) => state === 'Established'));
    await eventually('both routes', async () => (await routes()).length === 2);
  });

  after(async () => {
    links.close();
    await speaker.stop({ kind: 'shutdown', reason: 'end of the test' });
    await endProcess(daemon);
    await endProcess(other);
    await cable.cut();
    await otherCable.cut();
  });

  const states = () => speaker.status().map(({ state }) => state);
  const status = () => speaker.status().find(({ name }) => name === 'router');
  const linkDown = () => `link ${cable.device} is down or has no address left`;
  const routes = async () => (await daemon.routes()).map((route) => route.prefix).sort();

  test('ends only the session of the directly connected peer on this link, long before the hold time is over', async () => {
    const started = performance.now();
    await run('ip', ['link', 'set', cable.device, 'down']);
    await eventually('the end of the session', () => status()?.lastError === linkDown());
    assert.ok(performance.now() - started < 45_000, `${performance.now() - started} ms`);
    assert.equal(speaker.status().find(({ name }) => name === 'other')?.state, 'Established');
  });

  test('carries only IPv4 when it is up again without its IPv6 address, and the status of the session says so', async () => {
    await run('ip', ['link', 'set', cable.device, 'up']);
    await eventually('the session', () => status()?.state === 'Established');
    await eventually('the IPv4 route', async () => (await routes()).join() === ipv4Route);
    assert.deepEqual(status()?.families, ['ipv4-unicast']);
    assert.match(status()?.warnings.join() ?? '', /ipv6-unicast is not sent/);
  });

  test('carries IPv6 on the same session once it has an IPv6 address, until that address is removed', async () => {
    const since = status()?.since;
    await run('ip', ['address', 'add', `${ourIpv6}/64`, 'dev', cable.device, 'nodad']);
    await eventually('both routes', async () => (await routes()).length === 2);
    assert.deepEqual(status()?.families, ['ipv4-unicast', 'ipv6-unicast']);
    await run('ip', ['address', 'del', `${ourIpv6}/64`, 'dev', cable.device]);
    await eventually('the withdrawal', async () => (await routes()).join() === ipv4Route);
    assert.equal(status()?.since, since, 'the session has stayed');
  });

  test('ends the session whose local address is removed, and no other session', async () => {
    await eventually(
      'the link-local address, which the kernel adds up to a second after the link is up',
      () => networkInterfaces()[cable.device]?.some((one) => one.family === 'IPv6'),
    );
    await run('ip', ['address', 'del', `${ourIpv4}/24`, 'dev', cable.device]);
    await eventually('the end of the session', () => status()?.lastError === lostAddress);
    assert.equal(speaker.status().find(({ name }) => name === 'other')?.state, 'Established');
    await run('ip', ['address', 'add', `${ourIpv4}/24`, 'dev', cable.device]);
    await eventually('the session', () => status()?.state === 'Established');
  });

  test('ends the session whose link loses its last address, and no other session', async () => {
    await run('ip', ['address', 'flush', 'dev', cable.device]);
    await eventually('the end of the session', () => status()?.lastError === linkDown());
    assert.equal(speaker.status().find(({ name }) => name === 'other')?.state, 'Established');
    await run('ip', ['address', 'add', `${ourIpv4}/24`, 'dev', cable.device]);
    await eventually('the session', () => status()?.state === 'Established');
  });
});
