import { bridge, NetworkNamespace, plug } from '../../lab/netns.ts';
import { eventually } from './eventually.ts';

/** A switch with hosts. Host N has `eth0` with 192.0.2.N/24, 2001:db8::N/64 and a MAC address that ends in N. */
export class Segment {
  readonly switch: NetworkNamespace;

  private constructor(namespace: NetworkNamespace) {
    this.switch = namespace;
  }

  static async create(name = 'switch'): Promise<Segment> {
    const namespace = await NetworkNamespace.create(name);
    await bridge(namespace, 'br0');
    return new Segment(namespace);
  }

  /** Adds a host. `number` is at most 99; its decimal digits are the last octet of the MAC address. */
  async host(name: string, number: number): Promise<NetworkNamespace> {
    const namespace = await NetworkNamespace.create(name);
    await this.plug(namespace, number);
    return namespace;
  }

  /** Creates the host's `eth0` and plugs it into the switch. */
  async plug(namespace: NetworkNamespace, number: number): Promise<void> {
    await plug(
      {
        namespace,
        interface: 'eth0',
        mac: macOf(number),
        addresses: [`192.0.2.${number}/24`, `2001:db8::${number}/64`],
      },
      this.switch,
      'br0',
      namespace.name,
    );
  }
}

export function macOf(number: number): string {
  return `02:00:00:00:00:${String(number).padStart(2, '0')}`;
}

/** The neighbour entry of the host's kernel, e.g. `{ mac, state: 'REACHABLE' }`. */
export async function neighbour(
  host: NetworkNamespace,
  address: string,
): Promise<{ readonly mac: string | undefined; readonly state: string | undefined }> {
  const text = await host.ip('neigh', 'show', address, 'dev', 'eth0');
  return { mac: /lladdr (\S+)/.exec(text)?.[1], state: /([A-Z]+)\s*$/.exec(text)?.[1] };
}

/** Sends one packet to the address, so that the kernel must resolve the address. The packet needs no answer. */
export async function poke(host: NetworkNamespace, address: string): Promise<void> {
  await host.exec('ping', '-c', '1', '-W', '0.05', '-n', address).catch(() => '');
}

/**
 * Makes neighbour entries of the host's kernel stale within a few seconds instead of half a minute. For `delay_first_probe_time` after the last
 * packet, the kernel counts an entry as in use. An entry in use goes from REACHABLE to DELAY without passing through STALE. So the reachable
 * time must be longer than `delay_first_probe_time`, which is one second here.
 */
export async function shortenReachableTime(host: NetworkNamespace): Promise<void> {
  for (const family of ['ipv4', 'ipv6'])
    await host.exec(
      ...(['sysctl', '-qw'] as const),
      `net.${family}.neigh.eth0.base_reachable_time_ms=3000`,
      `net.${family}.neigh.eth0.delay_first_probe_time=1`,
    );
}

/**
 * Collects the states of the neighbour entry from `ip monitor`, and sends a packet whenever the entry is stale, failed or missing. Resolves once
 * the states in `expected` have occurred in this order, possibly with others in between.
 */
export async function watchStates(
  host: NetworkNamespace,
  address: string,
  expected: readonly string[],
): Promise<readonly string[]> {
  const seen: string[] = [];
  const monitor = host.spawn('ip', ['monitor', 'neigh']);
  let text = '';
  monitor.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      const state = line.startsWith(`${address} `) ? /([A-Z]+)\s*$/.exec(line)?.[1] : undefined;
      if (state !== undefined) seen.push(state);
    }
  });
  const isComplete = () => {
    let at = 0;
    for (const state of seen) if (state === expected[at]) at++;
    return at === expected.length;
  };
  try {
    await eventually(`the states ${expected.join(', ')} of ${address}`, async () => {
      const { state } = await neighbour(host, address);
      if (state === undefined || state === 'STALE' || state === 'FAILED') await poke(host, address);
      return isComplete();
    }).catch((error: unknown) => {
      throw new Error(`seen: ${seen.join(', ')}`, { cause: error });
    });
  } finally {
    monitor.kill();
  }
  return seen;
}
