import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A network namespace inside the private world (see `lab/world`). It acts as a host or as a switch of the network. */
export class NetworkNamespace {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /** Creates the namespace and brings its loopback interface up. */
  static async create(name: string): Promise<NetworkNamespace> {
    if (process.env.BELLMAN_WORLD === undefined)
      throw new Error('network namespaces need a private world: run this under lab/world');
    await run('ip', ['netns', 'add', name]);
    const namespace = new NetworkNamespace(name);
    await namespace.ip('link', 'set', 'lo', 'up');
    return namespace;
  }

  /** Runs a command and resolves to its standard output. When the command fails, the error contains its standard error. */
  async exec(command: string, ...args: string[]): Promise<string> {
    const { stdout } = await run('ip', ['netns', 'exec', this.name, command, ...args], {
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  }

  /** Runs `ip` in this namespace. */
  async ip(...args: string[]): Promise<string> {
    return (await run('ip', ['-n', this.name, ...args], { maxBuffer: 64 * 1024 * 1024 })).stdout;
  }

  /** Starts a long-running process. */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return spawn('ip', ['netns', 'exec', this.name, command, ...args], options);
  }
}

/** One end of a cable. */
export interface CableEnd {
  readonly namespace: NetworkNamespace;
  readonly interface: string;
  readonly mac?: string;
  /** With prefix length: `192.0.2.1/24`. */
  readonly addresses?: readonly string[];
}

/** Connects two namespaces by a veth pair with both ends up. Addresses are usable at once: duplicate address detection is off. */
export async function cable(a: CableEnd, b: CableEnd): Promise<void> {
  await a.namespace.ip(
    ...['link', 'add', a.interface, ...(a.mac ? ['address', a.mac] : []), 'type', 'veth'],
    ...['peer', 'name', b.interface, ...(b.mac ? ['address', b.mac] : []), 'netns', b.namespace.name],
  );
  for (const end of [a, b]) {
    await end.namespace.exec('sysctl', '-qw', `net.ipv6.conf.${end.interface}.accept_dad=0`);
    for (const address of end.addresses ?? [])
      await end.namespace.ip(
        ...['address', 'add', address, 'dev', end.interface],
        ...(address.includes(':') ? ['nodad'] : []),
      );
    await end.namespace.ip('link', 'set', end.interface, 'up');
  }
}

/**
 * Makes a bridge in the namespace: a plain switch without STP that forwards at once. A bridge without a MAC of its own takes the lowest MAC of its
 * ports. A new port could then change the MAC of the bridge, and hosts would send to the old MAC for half a minute.
 */
export async function bridge(
  namespace: NetworkNamespace,
  name: string,
  mac = '02:00:00:00:00:fe',
): Promise<void> {
  await namespace.ip('link', 'add', name, 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0');
  await namespace.ip('link', 'set', name, 'address', mac, 'up');
}

/** Connects a host to a switch by the named port. */
export async function plug(
  host: CableEnd,
  switchNamespace: NetworkNamespace,
  bridgeName: string,
  port: string,
): Promise<void> {
  await cable(host, { namespace: switchNamespace, interface: port });
  await switchNamespace.ip('link', 'set', port, 'master', bridgeName);
}

/** Connects the world itself, where tests and demo run, to a switch. */
export async function connectWorld(
  switchNamespace: NetworkNamespace,
  bridgeName: string,
  address: string,
): Promise<void> {
  await run('ip', [
    'link',
    'add',
    'world0',
    'type',
    'veth',
    'peer',
    'name',
    'world',
    'netns',
    switchNamespace.name,
  ]);
  await run('ip', ['address', 'add', address, 'dev', 'world0']);
  await run('ip', ['link', 'set', 'world0', 'up']);
  await switchNamespace.ip('link', 'set', 'world', 'master', bridgeName, 'up');
}

/** Adds a route of the world itself. */
export async function routeFromWorld(...route: readonly string[]): Promise<void> {
  await run('ip', ['route', 'add', ...route]);
}
