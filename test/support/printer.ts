import type { Lab } from '../../lab/lab.ts';
import { exposeEcho } from './handover.ts';

/** The addresses of the Service `printer`, one of each family. */
export type PrinterAddresses = readonly [v4: string, v6: string];

/** Starts the Service `printer` with a Pod on each node, and waits until both of its addresses are answered on the link. */
export async function startPrinter(lab: Lab, { withEcho = false } = {}): Promise<PrinterAddresses> {
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
