import { execFile } from 'node:child_process';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { NetworkNamespace } from '../../../lab/netns.ts';
import { collectLog } from './collect-log.ts';
import type { Daemon, RouterConfig, RunningDaemon, SeenRoute } from './daemon.ts';

const run = promisify(execFile);

function configText({ asn, routerId, localAddress, neighbor }: RouterConfig, directory: string): string {
  return [
    // The API of ExaBGP is a child process that prints commands and reads messages.
    'process api {',
    `  run /bin/sh ${directory}/api.sh;`,
    '  encoder json;',
    '}',
    `neighbor ${neighbor.address} {`,
    `  router-id ${routerId};`,
    `  local-address ${localAddress};`,
    `  local-as ${asn};`,
    `  peer-as ${neighbor.asn};`,
    `  hold-time ${neighbor.holdTimeSeconds ?? 90};`,
    ...(neighbor.passive ? ['  passive;', '  listen 179;'] : []),
    ...(neighbor.password === undefined ? [] : [`  md5-password "${neighbor.password}";`]),
    ...(neighbor.ttlSecurity ? ['  outgoing-ttl 255;', '  incoming-ttl 255;'] : []),
    '  family { ipv4 unicast; ipv6 unicast; }',
    ...(neighbor.extendedNextHop ? ['  nexthop { ipv4 unicast ipv6; }'] : []),
    '  capability {',
    '    asn4 enable;',
    '    route-refresh enable;',
    ...(neighbor.extendedMessages ? ['    extended-message enable;'] : ['    extended-message disable;']),
    ...(neighbor.extendedNextHop ? ['    nexthop enable;'] : []),
    ...(neighbor.gracefulRestartSeconds === undefined
      ? []
      : [`    graceful-restart ${neighbor.gracefulRestartSeconds};`]),
    '  }',
    '  api {',
    '    processes [ api ];',
    '    neighbor-changes;',
    '    receive { parsed; update; }',
    '  }',
    '}',
    '',
  ].join('\n');
}

interface ExabgpUpdate {
  readonly attribute?: {
    readonly 'as-path'?: readonly number[] | Record<string, { readonly value: readonly number[] }>;
    readonly med?: number;
    readonly 'local-preference'?: number;
    readonly community?: readonly (readonly number[])[];
    readonly 'large-community'?: readonly (readonly number[])[];
  };
  /** Keyed by family, then by next hop. */
  readonly announce?: Record<string, Record<string, readonly (string | { readonly nlri: string })[]>>;
  readonly withdraw?: Record<string, readonly (string | { readonly nlri: string })[]>;
}

interface ExabgpEvent {
  readonly type: string;
  readonly neighbor?: { readonly state?: string; readonly message?: { readonly update?: ExabgpUpdate } };
}

function apply(
  routes: Map<string, SeenRoute>,
  { attribute = {}, announce = {}, withdraw = {} }: ExabgpUpdate,
): void {
  const text = (nlri: string | { readonly nlri: string }) => (typeof nlri === 'string' ? nlri : nlri.nlri);
  for (const nlris of Object.values(withdraw)) for (const nlri of nlris) routes.delete(text(nlri));
  const path = attribute['as-path'] ?? [];
  for (const byNextHop of Object.values(announce))
    for (const [nextHop, nlris] of Object.entries(byNextHop))
      for (const nlri of Array.isArray(nlris) ? nlris : [])
        routes.set(text(nlri), {
          prefix: text(nlri),
          nextHop,
          asPath: Array.isArray(path) ? path : Object.values(path).flatMap(({ value }) => value),
          communities: (attribute.community ?? []).map((one) => one.join(':')),
          largeCommunities: (attribute['large-community'] ?? []).map((one) => one.join(':')),
          ...(attribute.med === undefined ? {} : { med: attribute.med }),
          ...(attribute['local-preference'] === undefined
            ? {}
            : { localPref: attribute['local-preference'] }),
        });
}

/** Derives the session state and the routes from the messages that ExaBGP reports, because ExaBGP keeps no table. */
function replay(text: string): { established: boolean; routes: SeenRoute[] } {
  const routes = new Map<string, SeenRoute>();
  let established = false;
  for (const line of text.split('\n')) {
    if (!line.endsWith('}')) continue;
    const event: ExabgpEvent = JSON.parse(line);
    if (event.type === 'state') {
      established = event.neighbor?.state === 'up';
      if (!established) routes.clear();
    }
    const update = event.neighbor?.message?.update;
    if (event.type === 'update' && update) apply(routes, update);
  }
  return { established, routes: [...routes.values()] };
}

export const exabgp: Daemon = {
  name: 'ExaBGP',
  cannot: {
    'graceful restart without a lost route': 'the daemon has no table to keep routes in',
    'long-lived graceful restart': 'the daemon has no table to keep routes in',
    'shutdown message from the peer': 'an operator cannot give the daemon a shutdown message',
    collision: 'the daemon either listens or connects',
    'shutdown message to the peer': 'the daemon fails on a NOTIFICATION that carries a message',
    'TTL security': 'the daemon checks the TTL only on connections that it opened',
  },
  async version() {
    const { stdout } = await run('exabgp', ['--version']);
    return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? 'unknown';
  },
  async start(namespace: NetworkNamespace, config: RouterConfig, directory: string): Promise<RunningDaemon> {
    const messages = `${directory}/messages`;
    const commands = `${directory}/commands`;
    // A shell gives a background process no standard input, so `cat` reads from descriptor 3.
    await writeFile(
      `${directory}/api.sh`,
      `exec 3<&0\ncat <&3 >> ${messages} &\nexec tail -n +1 -f ${commands}\n`,
    );
    await writeFile(messages, '');
    await writeFile(commands, '');
    await writeFile(`${directory}/exabgp.conf`, configText(config, directory));
    const child = namespace.spawn('exabgp', [`${directory}/exabgp.conf`], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        'exabgp.daemon.user': 'root',
        'exabgp.tcp.bind': config.neighbor.passive ? config.localAddress : '',
        'exabgp.tcp.port': '179',
        'exabgp.api.cli': 'false',
        'exabgp.api.ack': 'false',
        'exabgp.log.level': 'DEBUG',
        'exabgp.log.destination': 'stdout',
      },
    });
    const log = collectLog(child);
    const state = async () => replay(await readFile(messages, 'utf8'));
    return {
      process: child,
      log,
      isEstablished: async () => (await state()).established,
      routes: async () => (await state()).routes,
      async refresh() {
        await appendFile(
          commands,
          'announce route-refresh ipv4 unicast\nannounce route-refresh ipv6 unicast\n',
        );
      },
      shutdown: async () => appendFile(commands, 'shutdown\n'),
    };
  },
};
