import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { LabNode } from '../../lab/fabric.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Speakers } from './system.ts';

const program = 'keepalived';

export function keepalivedVersion(): string | undefined {
  try {
    // keepalived prints its version to standard error.
    const text = execFileSync('sh', ['-c', `${program} --version 2>&1`], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    });
    return /v([\d.]+)/.exec(text)?.[1];
  } catch {
    return undefined;
  }
}

/**
 * keepalived, configured for load balancing: one VRRP instance for each node. The instance prefers its node and holds an equal part of the
 * addresses. All times have their defaults (`advert_int 1`).
 */
export function keepalived(lab: Lab, addresses: readonly string[]): Speakers {
  const { nodes } = lab.fabric;
  const name = (node: LabNode) => `keepalived-${node.name}`;
  const instances = (on: LabNode) =>
    nodes.map((home, index) => {
      const distance = (on.index - home.index + nodes.length) % nodes.length;
      const own = addresses.filter((_, each) => each % nodes.length === index);
      return `vrrp_instance ${home.name.replace('-', '_')} {
  state BACKUP
  interface eth0
  virtual_router_id ${50 + home.index}
  priority ${200 - 10 * distance}
  virtual_ipaddress {
${own.map((address) => `    ${address}/32`).join('\n')}
  }
}
`;
    });
  return {
    name: program,
    startSpeaker: (node) => {
      const file = `/run/lab/${name(node)}`;
      writeFileSync(`${file}.conf`, instances(node).join(''));
      lab.processes.start(name(node), node.namespace, program, [
        ...['--dont-fork', '--log-console', '--vrrp', '--use-file', `${file}.conf`],
        ...['--pid', `${file}.pid`, '--vrrp_pid', `${file}-vrrp.pid`],
      ]);
    },
    stopSpeaker: async (node, signal) => {
      await lab.stop(name(node), signal);
      if (signal !== 'SIGKILL') return;
      // A killed process leaves its addresses on the interface. They would be gone if the machine had died.
      for (const address of addresses)
        await node.namespace.ip('address', 'del', `${address}/32`, 'dev', 'eth0').catch(() => undefined);
    },
  };
}
