import { type IpAddress, ipFromBytes } from '../../address/index.ts';

/** A TCP connection of this host that is established. */
export interface Connection {
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
}

const established = '01';

/**
 * Reads the established connections in the text of `/proc/net/tcp` or `/proc/net/tcp6` (proc(5)). A line begins with
 *
 *     1: 0B0200C0:B3CE 010200C0:00B3 01 …
 *        local address  remote       state
 *
 * Addresses are 32-bit words in the byte order of the machine, which is little-endian on every platform of Bellman. An IPv4 address in
 * `/proc/net/tcp6` has the prefix `::ffff:`. Lines that do not parse are skipped.
 */
export function readConnections(text: string): Connection[] {
  const connections: Connection[] = [];
  for (const line of text.split('\n')) {
    const [, local = '', remote = '', state] = line.trim().split(/\s+/);
    if (state !== established) continue;
    const [, localPort = ''] = local.split(':');
    const [words = '', remotePort = ''] = remote.split(':');
    const address = addressOf(words);
    if (address)
      connections.push({
        localPort: Number.parseInt(localPort, 16),
        remote: address,
        remotePort: Number.parseInt(remotePort, 16),
      });
  }
  return connections;
}

const ipv4Mapped = '00000000000000000000ffff';

function addressOf(words: string): IpAddress | undefined {
  if (!/^([0-9A-F]{8}|[0-9A-F]{32})$/.test(words)) return undefined;
  const octets = words.replace(/(..)(..)(..)(..)/g, '$4$3$2$1').toLowerCase();
  return ipFromBytes(Buffer.from(octets.startsWith(ipv4Mapped) ? octets.slice(-8) : octets, 'hex'));
}
