/** Checks what the network sees when the layer-2 process stands still for seconds, and when it or its speaker ends because of a bug. */
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { LabNode } from '../../lab/fabric.ts';
import { Lab } from '../../lab/lab.ts';
import { untilOwner } from '../../lab/steps.ts';
import { answerWithinMs } from '../../src/layer2/responder/stall.ts';
import { crashExitCode } from '../../src/telemetry/crash.ts';
import type { ArpEvent } from '../support/ask-arp.ts';

const askArp = fileURLToPath(new URL('../support/ask-arp.ts', import.meta.url));

// Every process of the lab inherits this variable, and throws on SIGUSR2.
process.env.NODE_OPTIONS = `--import=${new URL('../support/throw-on-signal.ts', import.meta.url)}`;

/** The near client asks for an address by ARP every 100 ms. */
class Asking {
  readonly requests = new Map<number, { readonly atMs: number; readonly answeredBy: Set<string> }>();
  readonly #child;

  constructor(lab: Lab, address: string) {
    this.#child = lab.fabric.near.spawn(process.execPath, [askArp, 'eth0', address], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.ok(this.#child.stdout);
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#read(line));
  }

  /** Whether the host answers a request that was sent since this time. */
  isAnsweredBy(mac: string, sinceMs: number): boolean {
    return [...this.requests.values()].some(({ atMs, answeredBy }) => atMs >= sinceMs && answeredBy.has(mac));
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }

  #read(line: string): void {
    const event = JSON.parse(line) as ArpEvent;
    if (event.kind === 'request') this.requests.set(event.id, { atMs: event.atMs, answeredBy: new Set() });
    else this.requests.get(event.id)?.answeredBy.add(event.from);
  }
}

describe('the layer-2 process', { concurrency: false }, () => {
  let lab: Lab;
  let address = '';

  before(async () => {
    lab = await Lab.start();
    await lab.applyExample('config');
    await lab.addPods('printer', lab.fabric.nodes);
    await lab.applyExample('printer');
    await lab.until('printer has addresses', async () => (await lab.addressesOf('printer')).length === 2);
    [address = ''] = await lab.addressesOf('printer');
    await lab.until('printer answers', async () =>
      (await lab.curl(lab.fabric.near, address)).includes('printer-'),
    );
    await allMeet();
  });
  after(() => lab.close());

  const owner = () => untilOwner(lab, address);

  async function allMeet(): Promise<void> {
    await lab.until('every speaker sees the others alive', async () => {
      const views = await Promise.all(lab.fabric.nodes.map(({ namespace }) => lab.status(namespace)));
      return views.every((view) => JSON.stringify(view).match(/"state":"alive"/g)?.length === 2);
    });
  }

  /** Sends broadcast requests for two seconds, and returns the MAC addresses from which answers come. */
  async function answerers(): Promise<readonly string[]> {
    const output = await lab.fabric.near.exec('arping', '-b', '-c', '2', '-w', '2', '-I', 'eth0', address);
    return [...new Set(output.toLowerCase().match(/(?<=\[)[0-9a-f:]{17}(?=\])/g))];
  }

  /** Waits until exactly one node answers, and it is not `old`. Returns the node that answers. */
  async function successorOf(old: LabNode): Promise<LabNode> {
    const macs = new Map<string, LabNode>();
    for (const node of lab.fabric.nodes) macs.set(await lab.macOf(node), node);
    let found: LabNode | undefined;
    await lab.until(`exactly one node answers, not ${old.name}`, async () => {
      const [mac = '', ...others] = await answerers();
      found = macs.get(mac);
      return others.length === 0 && found !== undefined && found !== old;
    });
    assert.ok(found);
    return found;
  }

  /** Lines that a process has logged since its log had this length. */
  function logged(node: LabNode, since: number): readonly Record<string, unknown>[] {
    return lab
      .log(`speaker-${node.name}`)
      .slice(since)
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  test('that stood still for five seconds answers no request that has waited for longer than answerWithinMs', async () => {
    const old = await owner();
    const mac = await lab.macOf(old);
    const others = await Promise.all(
      lab.fabric.nodes.filter((node) => node !== old).map((node) => lab.macOf(node)),
    );
    const asking = new Asking(lab, address);
    try {
      await lab.until('the owner answers', async () => asking.isAnsweredBy(mac, 0));
      await lab.signalLayer2(old, 'SIGSTOP');
      const stoppedAtMs = Date.now();
      await lab.until('another node answers', async () =>
        others.some((other) => asking.isAnsweredBy(other, stoppedAtMs)),
      );
      await sleep(Math.max(0, stoppedAtMs + 5000 - Date.now()));
      const continuedAtMs = Date.now();
      await lab.signalLayer2(old, 'SIGCONT');
      await lab.until('the old owner knows the new one', async () => {
        const { announcing } = (await lab.status(old.namespace)) as { announcing: object };
        return !(address in announcing);
      });
      await successorOf(old);
      const waited = [...asking.requests.values()].filter(
        ({ atMs }) => atMs > stoppedAtMs + 100 && atMs < continuedAtMs - answerWithinMs,
      );
      const answeredLate = waited.filter(({ answeredBy }) => answeredBy.has(mac));
      assert.ok(waited.length >= 20, `${waited.length} requests waited`);
      assert.equal(answeredLate.length, 0, `${answeredLate.length} of ${waited.length} answered late`);
    } finally {
      asking.stop();
    }
    await allMeet();
  });

  test('logs a bug, hands over, ends with the exit code of a crash, and is started again', async () => {
    const old = await owner();
    const since = lab.log(`speaker-${old.name}`).length;
    await lab.signalLayer2(old, 'SIGUSR2');
    await lab.until('the speaker restarts the process', async () =>
      logged(old, since).some(
        ({ msg, reason }) =>
          msg === 'child process ended; restarting it' && reason === `exit code ${crashExitCode}`,
      ),
    );
    const bug = logged(old, since).find(({ msg }) => msg === 'bug: the process ends');
    assert.deepEqual(
      [bug?.component, bug?.kind, bug?.reason],
      ['layer2', 'uncaughtException', 'a bug on demand'],
    );
    await assertHandedOver(old, since);
    await allMeet();
  });

  test('hands over when its speaker ends because of a bug', async () => {
    const old = await owner();
    const since = lab.log(`speaker-${old.name}`).length;
    lab.processes.signal(`speaker-${old.name}`, 'SIGUSR2');
    await lab.until('the speaker has ended', async () => !lab.isRunning(`speaker-${old.name}`));
    assert.equal(lab.processes.exitCode(`speaker-${old.name}`), crashExitCode);
    const bug = logged(old, since).find(({ msg }) => msg === 'bug: the process ends');
    assert.deepEqual(
      [bug?.component, bug?.kind, bug?.reason],
      ['speaker', 'uncaughtException', 'a bug on demand'],
    );
    await assertHandedOver(old, since);
    lab.startSpeaker(old);
    await allMeet();
  });

  /**
   * Checks that the successor took the address from a live owner, which stopped only when the successor answered. The log of the old owner names
   * the successor. On a busy machine, the address may have moved on to yet another node by now.
   */
  async function assertHandedOver(old: LabNode, since: number): Promise<void> {
    await successorOf(old);
    const stopped = logged(old, since).find(({ msg, ip }) => msg === 'stopped answering' && ip === address);
    const [, name = ''] = /^(.*) owns it$/.exec(String(stopped?.reason)) ?? [];
    const taken = logged(lab.node(name), 0).filter(({ msg, ip }) => msg === 'answering' && ip === address);
    assert.ok(taken.some(({ reason, from }) => reason === 'handover' && from === old.name));
  }
});
