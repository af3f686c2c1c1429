/** A lab whose router has no routing daemon yet, with the queries and the faults of the BFD tests. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { birdConfig, type LabNode } from '../../lab/fabric.ts';
import { birdSocketPath, Lab } from '../../lab/lab.ts';
import { closeOnFailure } from '../support/close-on-failure.ts';

interface PeerView {
  readonly name: string;
  readonly state: string;
  /** Present while the session waits for BFD. */
  readonly subState?: string;
  readonly since: string;
  readonly capabilities: readonly string[];
  readonly lastError?: string;
  readonly warnings: readonly string[];
  readonly bfd?: {
    readonly state: string;
    readonly since: string;
    readonly remoteState: string;
    readonly transmitIntervalMs: number;
    readonly detectionTimeMs: number;
    readonly local: { readonly detectMultiplier: number };
    readonly sent: number;
    readonly received: number;
    readonly downs: number;
    readonly dropped: Readonly<Record<string, number>>;
    readonly localDiscriminator: number;
    readonly remoteDiscriminator: number;
    readonly problem?: string;
  };
}

/** The session of a node with its only peer. */
export async function sessionOf(lab: Lab, node: LabNode): Promise<PeerView | undefined> {
  const status = (await lab.status(node.namespace)) as { readonly peers: readonly PeerView[] };
  return status.peers[0];
}

export async function isUp(lab: Lab, node: LabNode): Promise<boolean> {
  const session = await sessionOf(lab, node);
  return session?.state === 'Established' && session.bfd?.state === 'Up';
}

/** The process id of a node's BFD process. */
export async function bfdProcessOf(lab: Lab, node: LabNode): Promise<number> {
  const pids = (await lab.fabric.control.exec('ip', 'netns', 'pids', node.name))
    .trim()
    .split('\n')
    .map(Number);
  const found = pids.find((pid) => /bfd[/-]process\.[jt]s/.test(commandOf(pid)));
  assert.ok(found !== undefined, `${node.name} has no BFD process`);
  return found;
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // The process has ended.
    return '';
  }
}

/** Cuts a node off as if a cable behind its switch were pulled: frames are lost, and the node keeps its carrier. */
export async function silence(lab: Lab, node: LabNode): Promise<void> {
  await lab.fabric.segment.ip('link', 'set', node.name, 'nomaster');
}

export async function unsilence(lab: Lab, node: LabNode): Promise<void> {
  const [link] = JSON.parse(await lab.fabric.segment.ip('-j', 'link', 'show', 'type', 'bridge')) as {
    ifname: string;
  }[];
  assert.ok(link);
  await lab.fabric.segment.ip('link', 'set', node.name, 'master', link.ifname);
}

function service(name: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { type: 'LoadBalancer', ports: [{ port: 80, targetPort: 8080 }], selector: { app: name } },
  };
}

export async function events(lab: Lab, reason: string, namespace = 'default'): Promise<string> {
  const columns = 'custom-columns=O:.involvedObject.kind,N:.involvedObject.name,T:.type,M:.message';
  const selector = `reason=${reason}`;
  return lab.kubectl('get', 'events', '-n', namespace, '--field-selector', selector, '-o', columns);
}

/** Starts BIRD on the router of the lab, or lets it read its configuration again. `options` configure its BFD. */
export async function configureBird(lab: Lab, options: string): Promise<void> {
  const file = '/run/lab/bird-bfd.conf';
  const bgp = birdConfig(lab.fabric).replaceAll('  connect retry time', '  bfd on;\n  connect retry time');
  writeFileSync(file, `${bgp}\nprotocol bfd { interface "eth0" { ${options} }; }\n`);
  if (lab.isRunning('bird')) await lab.fabric.router.exec('birdc', '-s', birdSocketPath, 'configure');
  else lab.processes.start('bird', lab.fabric.router, 'bird', ['-f', '-c', file, '-s', birdSocketPath]);
}

/** A lab of two nodes and the Service `web`. No routing daemon runs on the router. */
export async function startWithoutRouter(config: string): Promise<{ lab: Lab; address: string }> {
  const lab = await Lab.start({ nodes: 2 });
  return closeOnFailure(lab, async () => {
    await lab.stop('bird');
    await lab.configure(config);
    await lab.apply(service('web'));
    await lab.addPods('web', lab.fabric.nodes);
    await lab.until('web has an address', async () => (await lab.addressesOf('web')).length === 1);
    const [address = ''] = await lab.addressesOf('web');
    return { lab, address };
  });
}
