import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { bird as bgpBird } from '../../daemons/bird.ts';
import { collectLog } from '../../daemons/collect-log.ts';
import type { BfdDaemon, PeerConfig } from './daemon.ts';

const run = promisify(execFile);

const types = {
  'keyed-md5': 'keyed md5',
  'meticulous-md5': 'meticulous keyed md5',
  'keyed-sha1': 'keyed sha1',
  'meticulous-sha1': 'meticulous keyed sha1',
} as const;

function configText(config: PeerConfig): string {
  const { peerAddress, localAddress, interface: device, multihop, authentication } = config;
  const options = [
    `min rx interval ${config.receiveIntervalMs} ms;`,
    `min tx interval ${config.transmitIntervalMs} ms;`,
    `multiplier ${config.detectMultiplier};`,
    `passive ${config.passive ? 'on' : 'off'};`,
    ...(authentication
      ? [
          `authentication ${types[authentication.type]};`,
          ...authentication.keys.map(({ id, password }) => `password "${password}" { id ${id}; };`),
        ]
      : []),
  ].join(' ');
  return [
    'router id 192.0.2.2;',
    'log stderr all;',
    'protocol device { scan time 1; }',
    'protocol bfd {',
    '  debug { states, events };',
    `  ${multihop ? 'multihop' : 'interface "*"'} { ${options} };`,
    multihop
      ? `  neighbor ${peerAddress} local ${localAddress} multihop;`
      : `  neighbor ${peerAddress} dev "${device}" local ${localAddress};`,
    '}',
    '',
  ].join('\n');
}

export const bird: BfdDaemon = {
  name: bgpBird.name,
  cannot: {
    'AdminDown from the peer': 'the daemon never sends AdminDown',
    'Echo packets': 'the daemon has no echo function',
  },
  multihopTtl: 63,
  version: bgpBird.version,
  async start(namespace, config, directory) {
    const [file, socket] = [`${directory}/bird.conf`, `${directory}/bird.ctl`];
    await writeFile(file, configText(config));
    const child = namespace.spawn('bird', ['-f', '-c', file, '-s', socket], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ctl = async (...command: string[]) => (await run('birdc', ['-s', socket, ...command])).stdout;
    return {
      process: child,
      log: collectLog(child),
      isUp: async () =>
        new RegExp(`^${config.peerAddress}\\s+\\S+\\s+Up\\s`, 'm').test(await ctl('show', 'bfd', 'sessions')),
      async reconfigure(changed) {
        await writeFile(file, configText(changed));
        await ctl('configure');
      },
      setAdminDown: () => Promise.reject(new Error('BIRD cannot do this')),
    };
  },
};
