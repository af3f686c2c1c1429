import { writeFileSync } from 'node:fs';
import type { Lab } from '../../lab/lab.ts';
import { frrPrivileges } from './frr-privileges.ts';

const daemons = ['zebra', 'bfdd', 'bgpd'] as const;
const flags: Readonly<Partial<Record<(typeof daemons)[number], readonly string[]>>> = {
  bfdd: ['--bfdctl', '/run/lab/bfdd.sock'],
};

export interface FrrOptions {
  readonly bfdd: readonly string[];
  readonly bgpd: readonly string[];
  /** A command that runs its arguments as a command, for instance with another priority. */
  readonly runBy?: readonly string[];
}

/** Starts zebra, bfdd and bgpd of FRR on the router of a lab, with these lines of configuration. */
export async function startFrr(lab: Lab, { bfdd, bgpd, runBy = ['env'] }: FrrOptions): Promise<void> {
  const privileges = await frrPrivileges();
  const lines = { zebra: [], bfdd, bgpd };
  for (const daemon of daemons) {
    const file = `/run/lab/${daemon}.conf`;
    writeFileSync(file, `${['log stdout', ...lines[daemon]].join('\n')}\n`);
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
  }
}

/** Ends the daemons that `startFrr` started. */
export async function stopFrr(lab: Lab): Promise<void> {
  for (const daemon of daemons) await lab.stop(daemon, 'SIGKILL');
}

/** Runs commands of vtysh on the router of a lab. Resolves to the output. */
export function vtysh(lab: Lab, ...commands: readonly string[]): Promise<string> {
  const args = commands.flatMap((command) => ['-c', command]);
  return lab.fabric.router.exec('vtysh', '--vty_socket', '/run/lab', ...args);
}
