import type { Lab } from '../../lab/lab.ts';
import { exposeEcho } from './handover.ts';
import { speakersMeet } from './members.ts';

/** The addresses of the Service `printer`, one of each family. */
export type PrinterAddresses = readonly [v4: string, v6: string];

/**
 * Starts the Service `printer` with a Pod on each node, and waits until the near client gets answers from both addresses of the Service. Before
 * that, it waits until all speakers see each other alive. If a speaker joined during the first election, two nodes could be elected, and each node
 * could keep one of the addresses.
 */
export async function startPrinter(lab: Lab, { withEcho = false } = {}): Promise<PrinterAddresses> {
  await speakersMeet(lab);
  await lab.addPods('printer', lab.fabric.nodes);
  await lab.applyExample('printer');
  if (withEcho) await exposeEcho(lab, 'printer');
  await lab.until('printer has addresses', async () => (await lab.addressesOf('printer')).length === 2);
  const [v4 = '', v6 = ''] = await lab.addressesOf('printer');
  await lab.until('printer answers', () => printerAnswers(lab, [v4, v6]));
  return [v4, v6];
}

/** Whether the near client gets a page from both addresses. */
export async function printerAnswers(lab: Lab, addresses: PrinterAddresses): Promise<boolean> {
  const bodies = await Promise.all(addresses.map((address) => lab.curl(lab.fabric.near, address)));
  return bodies.every((body) => body.includes('printer-'));
}
