import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';
import type { ListenAddress } from '../telemetry/http-server.ts';

const expectation = 'expected host:port, [v6]:port, :port or an IP address; several separated by commas';

/**
 * Parses a list of `host:port`, `[v6]:port`, `:port` and IP addresses without a port. `:port` stands for all addresses. An address without
 * a port gets the port of the preceding item. A manifest can therefore append the node's address without knowing whether it is an IPv6 address,
 * which would need brackets before a port: `127.0.0.1:7472,$(BELLMAN_HOST_IP)`.
 */
export function parseListenAddresses(text: string, defaultPort: number): readonly ListenAddress[] {
  const addresses: ListenAddress[] = [];
  for (const item of text.split(',').map((each) => each.trim())) {
    const address = parseItem(item, addresses.at(-1)?.port ?? defaultPort);
    const isRepeated = addresses.some(({ host, port }) => host === address.host && port === address.port);
    if (!isRepeated) addresses.push(address);
  }
  return addresses;
}

function parseItem(item: string, inheritedPort: number): ListenAddress {
  if (isIP(item) !== 0) return { host: item, port: inheritedPort };
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(item) ?? [];
  if (port === undefined || Number(port) > 65535) throw new InvalidArgumentError(expectation);
  return { host: bracketed ?? (plain || '::'), port: Number(port) };
}
