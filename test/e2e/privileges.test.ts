/**
 * The Linux privileges that `manifests/speaker.yaml` grants are enough for layer 2, and for a BGP peer that is not passive and uses a password and
 * TTL security.
 */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { birdConfig } from '../../lab/fabric.ts';
import { birdSocketPath, Lab } from '../../lab/lab.ts';
import { bellman } from '../../lab/program.ts';

const password = 'lab-password';
const config = `
peers:
- my-asn: 64512
  peer-asn: 64500
  peer-address: 192.0.2.1
  hold-time: 9s
  password: ${password}
  ttl-security: true
address-pools:
- name: public
  protocol: bgp
  addresses: [198.51.100.0/24]
- name: office
  protocol: layer2
  addresses: [192.0.2.240-192.0.2.250, 2001:db8:2::f0-2001:db8:2::fa]
`;

describe('a speaker with NET_RAW only, no new privileges and a read-only root', {
  concurrency: false,
}, () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.start({ nodes: 1 });
    await lab.stop('speaker-node-1');
    await lab.stop('bird');
    const secured = birdConfig(lab.fabric).replaceAll(
      /^( {2}neighbor .*)$/gm,
      `$1\n  password "${password}";\n  ttl security on;`,
    );
    writeFileSync('/run/lab/bird-secured.conf', secured);
    const birdArgs = ['-f', '-c', '/run/lab/bird-secured.conf', '-s', birdSocketPath];
    lab.processes.start('bird', lab.fabric.router, 'bird', birdArgs);
    const limits = ['--bounding-set', '-all,+net_raw', '--inh-caps', '-all', '--no-new-privs'];
    const speaker = `${bellman} speaker --node-name node-1 --metrics-address :7472`;
    const script = `mount -o remount,bind,ro / && exec setpriv ${limits.join(' ')} ${speaker}`;
    lab.startSpeakerAs(lab.node('node-1'), 'sh', '-c', script);
    await lab.configure(config);
  });
  after(() => lab.close());

  test('has no other capability', async () => {
    await lab.until(
      'the speaker answers',
      async () => (await lab.status(lab.node('node-1').namespace)) !== undefined,
    );
    const status = await lab
      .node('node-1')
      .namespace.exec(
        ...(['sh', '-c', 'cat /proc/$(pgrep -of "speaker --node-name node-1")/status'] as const),
      );
    const netRaw = (1 << 13).toString(16).padStart(16, '0');
    assert.match(status, new RegExp(`^CapEff:\\t${netRaw}$`, 'm'));
    assert.match(status, new RegExp(`^CapBnd:\\t${netRaw}$`, 'm'));
    assert.match(status, /^NoNewPrivs:\t1$/m);
  });

  test('holds a session with MD5 and TTL security, and announces a route', async () => {
    await lab.addPods('web', lab.fabric.nodes);
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', annotations: { 'bellman.dev/address-pool': 'public' } },
      spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await lab.until('web has an address', async () => (await lab.addressesOf('web')).length === 1);
    const [web = ''] = await lab.addressesOf('web');
    await lab.until('the router has the route', async () =>
      (await lab.birdc('show', 'route', 'for', web)).includes('node_1'),
    );
    await lab.until('web answers', async () => (await lab.curl(lab.fabric.far, web)).includes('web-'));
  });

  test('answers ARP and Neighbour Discovery', async () => {
    await lab.addPods('printer', lab.fabric.nodes);
    await lab.applyExample('printer');
    await lab.until('printer has addresses', async () => (await lab.addressesOf('printer')).length === 2);
    for (const address of await lab.addressesOf('printer'))
      await lab.until(`${address} answers`, async () =>
        (await lab.curl(lab.fabric.near, address)).includes('printer-'),
      );
  });
});
