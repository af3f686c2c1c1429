import type { Fabric } from './fabric.ts';

/**
 * The MAC addresses, in lower case, of all hosts on the segment that answer a broadcast ARP request or a neighbour solicitation for the address
 * within a second.
 */
export async function answerers({ near, nodes }: Fabric, address: string): Promise<ReadonlySet<string>> {
  // `-c` is the number of nodes, because every node could answer. arping ends early when it has that many answers, and fails when fewer arrive.
  const ask = address.includes('.')
    ? `arping -b -c ${nodes.length} -w 1 -I eth0 ${address}`
    : `ndisc6 -q -m -r 1 ${address} eth0`;
  const output = await near.exec('sh', '-c', `${ask} || true`);
  return new Set(output.toLowerCase().match(/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/g));
}
