/**
 * Listens for peers over TCP. Keys and TTL rules are set on the listener before the first segment can arrive. A connection without the
 * peer's key, or from further away than the peer's TTL security allows, is therefore never established. If the kernel refuses a peer's key,
 * the listener closes every connection from that peer's address. Peers that share an address may have different passwords, and the kernel
 * checks only one of them. `Incoming.password` holds the checked one, so that no peer with a different password takes the connection.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { type Family, formatIp, parseIp } from '../../address/index.ts';
import type { Clock } from '../../clock.ts';
import { attachSocketFilter, closeDescriptor, detachSocketFilter } from '../../linux/libc.ts';
import { FailedStream } from './failed-stream.ts';
import { failureReason } from './failure-reason.ts';
import {
  bindTcpSocket,
  openTcpSocket,
  setIpv6Only,
  setMd5Key,
  setReuseAddress,
  setRules,
  setSessionDefaults,
  setTtl,
} from './socket-options.ts';
import { TcpStream } from './tcp-stream.ts';
import type { AcceptedPeer, Incoming, ListenFailure } from './transport.ts';
import { ttlFilter } from './ttl-filter.ts';

const listenBacklog = 64;
/** TTL of the listener's answers to a SYN: a peer with TTL security accepts nothing lower (RFC 5082 section 3). */
const maximumTtl = 255;

export interface FamilyListenerOptions {
  readonly family: Family;
  readonly port: number;
  /** The peers of the family. */
  readonly peers: readonly AcceptedPeer[];
  readonly clock: Clock;
  readonly onIncoming: (incoming: Incoming) => void;
  readonly onFailed: (failure: ListenFailure) => void;
}

/** Opens a listener for the peers of one family. When that fails, calls `onFailed` and returns `undefined`. */
export function listenFamily(options: FamilyListenerOptions): Server | undefined {
  const { family, clock, onIncoming, onFailed } = options;
  const opened = open(options);
  if (!opened) return undefined;
  const { fd, keys } = opened;
  for (const { peer, reason } of keys.failures) onFailed({ family, peer, reason });
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    const incoming = incomingOf(socket, keys, clock);
    if (incoming) onIncoming(incoming);
    else socket.destroy();
  });
  server.on('error', (error) => onFailed({ family, reason: failureReason(error) }));
  server.listen({ fd, backlog: listenBacklog });
  return server;
}

function open({
  family,
  port,
  peers,
  onFailed,
}: FamilyListenerOptions): { readonly fd: number; readonly keys: Keys } | undefined {
  let fd = -1;
  try {
    fd = openTcpSocket(family);
    setReuseAddress(fd);
    if (family === 6) setIpv6Only(fd);
    setTtl(fd, family, maximumTtl);
    const filter = ttlFilter(family, peers);
    if (filter) attachSocketFilter(fd, filter);
    const keys = setKeys(fd, peers);
    bindTcpSocket(fd, { family, value: 0n }, port);
    return { fd, keys };
  } catch (error) {
    if (fd >= 0) closeDescriptor(fd);
    onFailed({ family, reason: failureReason(error) });
    return undefined;
  }
}

/** Outcome of setting the peers' keys. */
interface Keys {
  /** Peers that cannot connect, and why. */
  readonly failures: readonly { readonly peer: AcceptedPeer; readonly reason: string }[];
  readonly inForce: ReadonlyMap<string, AddressKey>;
}

interface AddressKey {
  readonly password: string | undefined;
  /**
   * Why the key could not be set. The kernel then accepts connections from the address without a key, so the listener closes such connections.
   */
  readonly fault: string | undefined;
}

/** Sets the peers' keys. The kernel keeps one key for each address, so the first peer at an address decides the key of the address. */
function setKeys(fd: number, peers: readonly AcceptedPeer[]): Keys {
  const inForce = new Map<string, AddressKey>();
  const failures = peers.flatMap((peer) => {
    const { address, password } = peer;
    const text = formatIp(address);
    const known = inForce.get(text) ?? { password, fault: keyFault(fd, peer) };
    inForce.set(text, known);
    const reason =
      known.password === password
        ? known.fault
        : 'another peer at the address has a different password, and the kernel keeps one for each address';
    return reason === undefined ? [] : { peer, reason };
  });
  return { failures, inForce };
}

/** Sets the key of the peer's address; returns the reason when the kernel refuses it. */
function keyFault(fd: number, { address, password }: AcceptedPeer): string | undefined {
  if (password === undefined) return undefined;
  try {
    setMd5Key(fd, address, password);
    return undefined;
  } catch (error) {
    return `the password of the peer cannot be set: ${failureReason(error)}`;
  }
}

/** The connection as its owner sees it; `undefined` when it is closed already, or when the key of its address could not be set. */
function incomingOf(socket: Socket, keys: Keys, clock: Clock): Incoming | undefined {
  const [remote = '', zone] = (socket.remoteAddress ?? '').split('%');
  const remoteAddress = parseIp(remote);
  const localAddress = parseIp((socket.localAddress ?? '').replace(/%.*$/, ''));
  const fd = descriptorOf(socket);
  if (!remoteAddress || !localAddress || fd < 0) return undefined;
  const key = keys.inForce.get(formatIp(remoteAddress));
  if (key?.fault !== undefined) return undefined;
  const { family } = remoteAddress;
  return {
    remoteAddress,
    localAddress,
    ...(zone === undefined ? {} : { interface: zone }),
    password: key?.password,
    accept(rules, handler) {
      try {
        setSessionDefaults(fd, family);
        setRules(fd, family, rules);
        // The connection has a copy of the listener's filter, and an edit of the configuration does not change this copy. The minimum TTL of
        // `rules`, which an edit can change, guards the connection from now on.
        detachSocketFilter(fd);
      } catch (error) {
        socket.destroy();
        return new FailedStream(failureReason(error), handler);
      }
      const stream = new TcpStream({ socket, fd, family, handler, clock });
      setImmediate(() => socket.resume());
      return stream;
    },
    reject: () => socket.destroy(),
  };
}

/** The descriptor of Node's handle; -1 when there is none. */
function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  return typeof fd === 'number' ? fd : -1;
}
