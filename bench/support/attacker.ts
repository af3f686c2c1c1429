import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** A computer that does other work may send fewer inputs than it should, but not fewer than this share. */
const leastShare = 0.5;

export interface Sent {
  readonly sent: number;
  /** Whether the program ended well and sent enough. Without this, a node that was not attacked would pass. */
  readonly isEnough: boolean;
}

/** Waits for the end of a program of `bench/attackers` that should send `asked` inputs. Its output ends with the number of inputs sent. */
export async function sentBy(attacker: ChildProcess, asked: number): Promise<Sent> {
  let output = '';
  attacker.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code] = await once(attacker, 'close');
  const sent = Number(/(\d+)\s*$/.exec(output)?.[1] ?? 0);
  return { sent, isEnough: code === 0 && sent >= leastShare * asked };
}
