import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { collectLog } from '../../daemons/collect-log.ts';
import type { BfdDaemon, BfdFeature, PeerConfig } from './daemon.ts';

const run = promisify(execFile);

/** keepalived starts its BFD process only for a VRRP instance or a checker that uses it. The VRRP instance here has no peers and no effect. */
function configText(config: PeerConfig): string {
  return [
    'bfd_instance bellman {',
    `  neighbor_ip ${config.peerAddress}`,
    `  source_ip ${config.localAddress}`,
    `  min_rx ${config.receiveIntervalMs}`,
    `  min_tx ${config.transmitIntervalMs}`,
    '  idle_tx 1000',
    `  multiplier ${config.detectMultiplier}`,
    '  hoplimit 255',
    ...(config.passive ? ['  passive'] : []),
    '}',
    'vrrp_instance idle {',
    `  interface ${config.interface}`,
    '  state BACKUP',
    '  virtual_router_id 77',
    '  priority 100',
    '  virtual_ipaddress {',
    '    198.51.100.77/32',
    '  }',
    '  track_bfd {',
    '    bellman',
    '  }',
    '}',
    '',
  ].join('\n');
}

const noAuthentication = 'the daemon has no authentication';

export const keepalived: BfdDaemon = {
  name: 'keepalived',
  cannot: {
    'single hop over link-local addresses': 'the daemon binds a link-local address without its interface',
    'Echo packets': 'the daemon has no echo function',
    multihop: 'the daemon has no multihop sessions',
    'AdminDown from the peer': 'an operator cannot take a session down',
    ...Object.fromEntries(
      (['keyed MD5', 'meticulous MD5', 'keyed SHA1', 'meticulous SHA1', 'new keys while up'] as const).map(
        (feature): [BfdFeature, string] => [feature, noAuthentication],
      ),
    ),
  },
  multihopTtl: 254,
  async version() {
    const { stdout, stderr } = await run('keepalived', ['--version']);
    return /v(\d+\.\d+\.\d+)/.exec(stdout + stderr)?.[1] ?? 'unknown';
  },
  async start(namespace, config, directory) {
    const file = `${directory}/keepalived.conf`;
    await writeFile(file, configText(config));
    await mkdir('/run/keepalived', { recursive: true });
    const pids = ['p', 'r', 'c', 'b'].flatMap((flag) => [`-${flag}`, `${directory}/${flag}.pid`]);
    const child = namespace.spawn('keepalived', ['-n', '-l', '-D', '-f', file, ...pids], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log = collectLog(child);
    return {
      process: child,
      log,
      async isUp() {
        const states = [...log().matchAll(/\(bellman\) Entering (\w+) state/g)];
        return states.at(-1)?.[1] === 'Up';
      },
      async reconfigure(changed) {
        await writeFile(file, configText(changed));
        child.kill('SIGHUP');
      },
      setAdminDown: () => Promise.reject(new Error('keepalived cannot do this')),
    };
  },
};
