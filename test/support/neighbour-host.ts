/**
 * A neighbour responder as a process, for tests that run it in a namespace. It reads commands as JSON lines from standard input and
 * writes answers and events as JSON lines to standard output. It exits when its standard input closes.
 */
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { registerAddressMetrics } from '../../src/layer2/responder/metrics.ts';
import { createNeighbourResponder } from '../../src/layer2/responder/responder.ts';
import { ip } from './addresses.ts';
import type { HostCommand, HostEvent } from './neighbour-client.ts';

const registry = new Registry();
const tell = (event: HostEvent): void => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
};
const settings = JSON.parse(process.argv[2] ?? '{}') as { defence?: 'defend' | 'yield'; speakers?: string[] };

const responder = createNeighbourResponder({
  log: pino({ level: 'info' }, process.stderr),
  registry,
  ...(settings.defence ? { defence: settings.defence } : {}),
  onConflict: ({ address: _, ...conflict }) => tell({ kind: 'conflict', ...conflict }),
  onLinksChanged: () => tell({ kind: 'links', links: responder.links().map(({ name }) => name) }),
});
registerAddressMetrics(registry, () => responder.counts());
responder.setSpeakerMacs(new Set(settings.speakers ?? []));

async function runCommand(command: HostCommand): Promise<void> {
  const { id } = command;
  switch (command.do) {
    case 'add':
      for (const text of command.addresses) responder.add(ip(text), command.interfaces);
      return tell({ kind: 'answer', id, value: null });
    case 'remove':
      for (const text of command.addresses) responder.remove(ip(text));
      return tell({ kind: 'answer', id, value: null });
    case 'probe':
      return tell({ kind: 'answer', id, value: await responder.probe(ip(command.address)) });
    case 'carriers':
      return tell({
        kind: 'answer',
        id,
        value: responder.carriers(ip(command.address), command.interfaces),
      });
    case 'kernel-answers':
      return tell({
        kind: 'answer',
        id,
        value: responder
          .kernelAnswers([{ address: ip(command.address), interfaces: [] }])
          .map(({ configuredOn, answeredOn }) => ({ configuredOn, answeredOn })),
      });
    case 'metrics':
      return tell({ kind: 'answer', id, value: await registry.metrics() });
    case 'close':
      responder.close();
      return tell({ kind: 'answer', id, value: null });
  }
}

const input = createInterface({ input: process.stdin });
input.on('line', (line) => void runCommand(JSON.parse(line) as HostCommand));
tell({ kind: 'links', links: responder.links().map(({ name }) => name) });
