/**
 * A client that sends to an address while the address moves to another node. It sends datagrams instead of TCP, because a move breaks every open TCP
 * connection. On a busy machine, connections stay open for longer, so a move would break many of them.
 */
import assert from 'node:assert/strict';
import type { Lab } from '../../lab/lab.ts';
import type { NetworkNamespace } from '../../lab/netns.ts';
import type { DatagramOptions } from '../../lab/probe.ts';
import { closeOnFailure } from './close-on-failure.ts';

/** At this interval, the buffer of a pod's socket holds all datagrams that arrive while a busy machine gives the pod no CPU. */
const intervalMs = 10;

/** Gives a Service of the lab a UDP port that its pods echo. */
export async function exposeEcho(lab: Lab, service: string): Promise<void> {
  const ports = [
    { name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 },
    { name: 'echo', protocol: 'UDP', port: 80, targetPort: 8080 },
  ];
  const patch = JSON.stringify([{ op: 'replace', path: '/spec/ports', value: ports }]);
  await lab.kubectl('patch', 'service', service, '--type=json', '-p', patch);
}

/** Sends datagrams from a client to the address while `move` runs. Fails when one of them gets no answer. */
export async function assertNoDatagramLost(
  lab: Lab,
  address: string,
  move: () => Promise<void>,
  client: NetworkNamespace = lab.fabric.near,
  options: DatagramOptions = {},
): Promise<void> {
  const probe = lab.probeDatagrams(client, [address], intervalMs, options);
  await closeOnFailure({ close: () => probe.stop() }, async () => {
    await probe.ready;
    await move();
  });
  const [result] = await probe.stop();
  assert.ok(result && result.asked > 0);
  assert.equal(result.asked - result.answered, 0, `lost datagrams: ${JSON.stringify(result)}`);
}
