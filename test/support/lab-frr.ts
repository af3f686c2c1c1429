import { existsSync, rmSync, writeFileSync } from 'node:fs';
import type { Lab } from '../../lab/lab.ts';
import { frrPrivileges } from './frr-privileges.ts';

const daemons = ['zebra', 'bfdd', 'bgpd'] as const;
type Daemon = (typeof daemons)[number];
const flags: Readonly<Partial<Record<Daemon, readonly string[]>>> = {
  bfdd: ['--bfdctl', '/run/lab/bfdd.sock'],
};
/** The socket whose existence shows that a daemon runs. `startFrr` waits for this socket before it starts the next daemon. */
const sockets: Readonly<Partial<Record<Daemon, string>>> = {
  zebra: '/run/lab/zserv',
  bfdd: '/run/lab/bfdd.sock',
};

export interface FrrOptions {
  readonly bfdd: readonly string[];
  readonly bgpd: readonly string[];
  /** The words to put before the command of each daemon, for instance to give it another priority. */
  readonly runBy?: readonly string[];
}

/**
 * Starts zebra, bfdd and bgpd of FRR on the router of a lab, with these lines of configuration. The daemons start one after another. Otherwise
 * bgpd might not reach zebra at first. Then bgpd would try again only after ten seconds, and might never learn the BFD states of its peers.
 */
export async function startFrr(lab: Lab, { bfdd, bgpd, runBy = ['env'] }: FrrOptions): Promise<void> {
  const privileges = await frrPrivileges();
  const lines = { zebra: [], bfdd, bgpd };
  for (const daemon of daemons) {
    const file = `/run/lab/${daemon}.conf`;
    writeFileSync(file, `${['log stdout', ...lines[daemon]].join('\n')}\n`);
    const socket = sockets[daemon];
    if (socket !== undefined) rmSync(socket, { force: true });
    const [command = '', ...rest] = runBy;
    lab.processes.start(
      daemon,
      lab.fabric.router,
      command,
      [
        ...[...rest, `/usr/lib/frr/${daemon}`],
        ...['-f', file, '-i', `/run/lab/${daemon}.pid`, '--vty_socket', '/run/lab', '-z', '/run/lab/zserv'],
        ...['-P', '0', ...privileges.options, ...(flags[daemon] ?? [])],
      ],
      { LD_PRELOAD: privileges.environment.LD_PRELOAD ?? '' },
    );
    if (socket !== undefined) await lab.until(`${daemon} runs`, async () => existsSync(socket));
  }
}

/** Ends the daemons that `startFrr` started. A killed zebra would leave its routes in the kernel, so zebra gets SIGTERM. */
export async function stopFrr(lab: Lab): Promise<void> {
  for (const daemon of ['bgpd', 'bfdd']) await lab.stop(daemon, 'SIGKILL');
  await lab.stop('zebra');
}

/** Runs commands of vtysh on the router of a lab. Resolves to the output. */
export function vtysh(lab: Lab, ...commands: readonly string[]): Promise<string> {
  const args = commands.flatMap((command) => ['-c', command]);
  return lab.fabric.router.exec('vtysh', '--vty_socket', '/run/lab', ...args);
}
