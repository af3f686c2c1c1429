/**
 * BFD beside BGP, with the unmodified speaker and BIRD: a silent cut ends sessions and routes long before the hold time, and a speaker that
 * hangs keeps BFD up.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { addresses, type LabNode } from '../../lab/fabric.ts';
import { kubeconfigPath, type Lab } from '../../lab/lab.ts';
import { bellman } from '../../lab/program.ts';
import { nextHops } from '../support/next-hops.ts';
import {
  bfdProcessOf,
  configureBird,
  events,
  isUp,
  sessionOf,
  silence,
  startWithoutRouter,
  unsilence,
} from './bfd-fixtures.ts';

/**
 * Detection takes three seconds. That is far less than the hold time of 90 s, so a session that ends within a minute was ended by BFD. Three
 * seconds are also so long that a busy machine does not cause a false alarm.
 */
const profile = { name: 'lab', 'receive-interval': 300, 'transmit-interval': 300, 'detect-multiplier': 10 };

describe('BFD with BIRD', { concurrency: false }, () => {
  let lab: Lab;
  let address = '';
  const node = (name: string) => lab.node(name);

  before(async () => {
    ({ lab, address } = await startWithoutRouter(
      JSON.stringify({
        peers: [
          {
            ...{ name: 'router', 'my-asn': 64512, 'peer-asn': 64500, 'peer-address': addresses.router[0] },
            ...{ 'bfd-profile': 'lab' },
          },
        ],
        'bfd-profiles': [profile],
        'address-pools': [{ name: 'public', protocol: 'bgp', addresses: ['198.51.100.0/24'] }],
      }),
    ));
    await lab.until('the speaker says that nothing returns', async () =>
      /we send, and nothing returns/.test((await sessionOf(lab, node('node-1')))?.bfd?.problem ?? ''),
    );
    await configureBird(lab, 'min rx interval 300 ms; min tx interval 300 ms; multiplier 10;');
    for (const each of lab.fabric.nodes)
      await lab.until(`BFD and BGP of ${each.name}`, () => isUp(lab, each));
    await lab.until('both routes', async () => (await nextHops(lab, address)).length === 2);
  });
  after(() => lab?.close());

  const birdSession = async (each: LabNode) =>
    (await lab.birdc('show', 'bfd', 'sessions'))
      .split('\n')
      .find((line) => line.startsWith(each.addresses[0]));

  test('status, trace, metrics and events show the session', async () => {
    const run = (...args: string[]) =>
      node('node-1').namespace.exec(
        'sh',
        '-c',
        `${bellman} ${args.join(' ')} --kubeconfig ${kubeconfigPath} || true`,
      );
    assert.match(await run('status'), /^node-1 +router +Up +\S+ +300 ms +3000 ms +0 /m);
    assert.match(await run('trace', 'router', '--node', 'node-1'), / bfd router .* ⇒ Up/);
    const metrics = await lab.metrics(node('node-1').namespace);
    assert.match(metrics, /^bellman_bfd_session_up\{peer="router"\} 1$/m);
    assert.match(metrics, /^bellman_bfd_control_packet_input\{peer="router"\} [1-9]/m);
    await lab.until('an event for each node', async () => {
      const text = await events(lab, 'BfdUp');
      return ['node-1', 'node-2'].every((name) => new RegExp(`^Node +${name} +Normal`, 'm').test(text));
    });
  });

  test('a speaker that hangs keeps BFD up, and BGP waits for its hold timer', async () => {
    const before = await birdSession(node('node-2'));
    assert.match(before ?? '', / Up /);
    lab.processes.signal('speaker-node-2', 'SIGSTOP');
    // The time is longer than the detection time of 3 s, and shorter than the hold time.
    await sleep(5000);
    const during = await birdSession(node('node-2'));
    const answer = lab.status(node('node-2').namespace);
    assert.equal(await Promise.race([answer, sleep(1000)]), undefined, 'the speaker process does not answer');
    lab.processes.signal('speaker-node-2', 'SIGCONT');
    await answer;
    assert.equal(during, before, 'the session of BIRD did not change its state');
    const session = await sessionOf(lab, node('node-2'));
    assert.equal(session?.state, 'Established');
    assert.equal(session?.bfd?.state, 'Up');
  });

  test('a silent cut removes the session and the route long before the hold time, and does not affect other nodes', async () => {
    const other = await sessionOf(lab, node('node-2'));
    await silence(lab, node('node-1'));
    const cutAt = Date.now();
    // Only the log keeps the reason: after a few seconds, `lastError` names a failed attempt to connect instead.
    await lab.until('the end of the session', async () =>
      lab.log('speaker-node-1').includes('BFD Down, BFD has lost the peer'),
    );
    await lab.until('the route is gone', async () => {
      const hops = await nextHops(lab, address);
      return hops.length === 1 && hops[0] === node('node-2').addresses[0];
    });
    assert.ok(Date.now() - cutAt < 60_000, 'the hold time of 90 s does not explain this');
    assert.match(
      await lab.metrics(node('node-1').namespace),
      /^bellman_bfd_down_total\{peer="router",diag="1",side="local"\} 1$/m,
    );
    await lab.until('an event', async () =>
      /^Node +node-1 +Warning .*control detection time expired/m.test(await events(lab, 'BfdDown')),
    );
    assert.equal((await sessionOf(lab, node('node-2')))?.since, other?.since);
    await unsilence(lab, node('node-1'));
    await lab.until('the session again', () => isUp(lab, node('node-1')));
    await lab.until('both routes again', async () => (await nextHops(lab, address)).length === 2);
  });

  test('a BFD process that is killed starts again, and only the sessions of its node notice', async () => {
    const [own, other] = [node('node-1'), node('node-2')];
    const before = await sessionOf(lab, own);
    const untouched = await sessionOf(lab, other);
    process.kill(await bfdProcessOf(lab, own), 'SIGKILL');
    await lab.until('a new BFD session', async () => {
      const { state, localDiscriminator } = (await sessionOf(lab, own))?.bfd ?? {};
      return state === 'Up' && localDiscriminator !== before?.bfd?.localDiscriminator;
    });
    assert.match(
      lab.log('speaker-node-1'),
      /"BFD process","reason":"SIGKILL".*"child process ended; restarting it"/,
    );
    // The router takes the new BFD session for a failure of the old one, and ends BGP once.
    await lab.until('BGP and BFD again', () => isUp(lab, own));
    await lab.until('both routes again', async () => (await nextHops(lab, address)).length === 2);
    assert.equal((await sessionOf(lab, other))?.since, untouched?.since);
  });

  test('BFD ends when the profile is removed, and starts again when a profile is added', async () => {
    const edit = (peer: object) =>
      lab.configure(
        JSON.stringify({
          peers: [
            {
              ...{ name: 'router', 'my-asn': 64512, 'peer-asn': 64500, 'peer-address': addresses.router[0] },
              ...peer,
            },
          ],
          'bfd-profiles': [profile],
          'address-pools': [{ name: 'public', protocol: 'bgp', addresses: ['198.51.100.0/24'] }],
        }),
      );
    await edit({});
    await lab.until('no BFD', async () => (await sessionOf(lab, node('node-1')))?.bfd === undefined);
    // BIRD 2.0 takes our AdminDown for a failure and resets BGP once.
    await lab.until(
      'BGP without BFD',
      async () => (await sessionOf(lab, node('node-1')))?.state === 'Established',
    );
    await edit({ 'bfd-profile': 'lab' });
    await lab.until('BFD again', () => isUp(lab, node('node-1')));
  });
});
