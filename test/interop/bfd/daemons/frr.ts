import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { eventually } from '../../../support/eventually.ts';
import { frrPrivileges } from '../../../support/frr-privileges.ts';
import { collectLog } from '../../daemons/collect-log.ts';
import { frr as bgpFrr } from '../../daemons/frr.ts';
import type { BfdDaemon, BfdFeature, PeerConfig } from './daemon.ts';

const run = promisify(execFile);
const folder = '/usr/lib/frr';

/** The command that names the peer. Further commands apply to it. */
function peerCommand({ peerAddress, localAddress, interface: device, multihop }: PeerConfig): string {
  if (multihop) return `peer ${peerAddress} multihop local-address ${localAddress}`;
  return `peer ${peerAddress} local-address ${localAddress} interface ${device}`;
}

function timers(config: PeerConfig): string[] {
  return [
    `detect-multiplier ${config.detectMultiplier}`,
    `receive-interval ${config.receiveIntervalMs}`,
    `transmit-interval ${config.transmitIntervalMs}`,
  ];
}

function configText(config: PeerConfig): string {
  return [
    'log stdout debugging',
    'debug bfd peer',
    'bfd',
    ` ${peerCommand(config)}`,
    ...timers(config).map((line) => `  ${line}`),
    ...(config.passive ? ['  passive-mode'] : []),
    ...(config.echoIntervalMs === undefined
      ? []
      : [
          `  echo receive-interval ${config.echoIntervalMs}`,
          `  echo transmit-interval ${config.echoIntervalMs}`,
        ]),
    '  no shutdown',
    ' !',
    '!',
    '',
  ].join('\n');
}

const noAuthentication = 'this version has no authentication';

export const frr: BfdDaemon = {
  name: bgpFrr.name,
  cannot: Object.fromEntries(
    (['keyed MD5', 'meticulous MD5', 'keyed SHA1', 'meticulous SHA1', 'new keys while up'] as const).map(
      (feature): [BfdFeature, string] => [feature, noAuthentication],
    ),
  ),
  multihopTtl: 254,
  version: bgpFrr.version,
  async start(namespace, config, directory) {
    await writeFile(`${directory}/bfdd.conf`, configText(config));
    await writeFile(`${directory}/zebra.conf`, '');
    const privileges = await frrPrivileges();
    const start = (daemon: string, ...options: string[]) =>
      namespace.spawn(
        `${folder}/${daemon}`,
        [
          ...['-f', `${directory}/${daemon}.conf`, '-i', `${directory}/${daemon}.pid`],
          ...['--vty_socket', directory, '-z', `${directory}/zserv`, '-P', '0'],
          ...[...privileges.options, ...options],
        ],
        { stdio: ['ignore', 'pipe', 'pipe'], env: privileges.environment },
      );
    // bfdd learns the interfaces from zebra. When bfdd ends, zebra is killed too.
    const zebra = start('zebra');
    // If zebra does not listen when bfdd starts, bfdd tries again to connect only after ten seconds.
    await eventually('zebra listens', () => existsSync(`${directory}/zserv`));
    const child = start('bfdd', '--bfdctl', `${directory}/bfdd.sock`);
    child.once('exit', () => zebra.kill('SIGKILL'));
    const vtysh = async (...commands: string[]) =>
      (
        await run('vtysh', [
          ...['--vty_socket', directory, '-d', 'bfdd'],
          ...commands.flatMap((command) => ['-c', command]),
        ])
      ).stdout;
    const change = async (...commands: string[]) => {
      await vtysh('configure terminal', 'bfd', peerCommand(config), ...commands);
    };
    await eventually('bfdd accepts commands', () => vtysh('show bfd peers json'));
    return {
      process: child,
      log: collectLog(child),
      async isUp() {
        const peers: { status?: string }[] = JSON.parse(await vtysh('show bfd peers json'));
        return peers.some(({ status }) => status === 'up');
      },
      reconfigure: (changed) => change(...timers(changed)),
      setAdminDown: (isDown) => change(isDown ? 'shutdown' : 'no shutdown'),
    };
  },
};
