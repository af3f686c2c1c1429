/**
 * Asks a node whether its kernel lives, by TCP connections to the port of the membership. The membership itself uses UDP, so no process listens
 * on this TCP port, and a living kernel refuses the connection. No process of the node takes part, and no log mentions the connection.
 */
import { connect } from 'node:net';
import type { Clock } from '../../clock.ts';
import type { ProbeAnswer } from './node-deaths.ts';

/** On an idle network, an answer takes less than a millisecond. */
const timeoutMs = 500;
/** A second connection covers the loss of one packet. The kernel itself would try again only after a second. */
const secondAfterMs = 150;

/** Errors by which the kernel of the node itself answers. */
const answers = new Set(['ECONNREFUSED', 'ECONNRESET']);
/** Errors by which the network says that the node does not answer. All other errors are faults of this node. */
const silences = new Set(['EHOSTUNREACH', 'EHOSTDOWN', 'ETIMEDOUT']);

/** Resolves within half a second. One answer, from any of the addresses, is enough. */
export function askByTcp(addresses: readonly string[], port: number, clock: Clock): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const ends: (() => void)[] = [];
    let asked = 0;
    const finish = (answer: ProbeAnswer) => {
      for (const end of ends) end();
      resolve(answer);
    };
    const open = (host: string) => {
      const socket = connect({ host, port });
      asked++;
      ends.push(() => socket.destroy());
      socket.once('connect', () => finish('answered'));
      socket.on('error', ({ code = '' }: NodeJS.ErrnoException) => {
        if (answers.has(code)) finish('answered');
        else if (!silences.has(code)) asked--;
      });
    };
    const openAll = () => addresses.forEach(open);
    const timers = [
      clock.after(secondAfterMs, openAll),
      clock.after(timeoutMs, () => finish(asked > 0 ? 'silent' : 'unknown')),
    ];
    ends.push(...timers.map((timer) => () => timer.cancel()));
    openAll();
  });
}
