/** TCP for BGP: sockets whose options are set natively before Node takes them over. */
import { createServer, type Server, Socket } from 'node:net';
import { type Family, formatIp, type IpAddress, isLinkLocal, parseIp } from '../../address/index.ts';
import {
  bindSocket,
  bindToDevice,
  closeSocket,
  openSocket,
  receiveArrived,
  SocketError,
  setIpv6Only,
  setMd5Key,
  setMinimumTtl,
  setReuseAddress,
  setRules,
  setSessionDefaults,
  setTtl,
  unacknowledgedBytes,
} from './socket-options.ts';
import type {
  AcceptedPeer,
  ConnectTarget,
  Incoming,
  Listener,
  ListenFailure,
  SocketRules,
  Stream,
  StreamHandler,
  Transport,
} from './transport.ts';

/** How long a closing connection may take to hand over its last words. */
const lingerMs = 1000;
const listenBacklog = 64;
/** Read at a time of what a broken connection left behind. */
const leftoverBytes = 65_536;

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by the peer',
  EPIPE: 'connection closed by the peer',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  EADDRNOTAVAIL: 'source address is not on this node',
  ENODEV: 'interface does not exist',
  EADDRINUSE: 'address and port already in use',
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  const known = code === undefined ? undefined : reasons[code];
  return known ?? (error instanceof Error ? error.message : String(error));
}

class TcpStream implements Stream {
  readonly #socket: Socket;
  readonly #fd: number;
  readonly #family: Family;
  readonly #handler: StreamHandler;
  #open = true;

  constructor(socket: Socket, fd: number, family: Family, handler: StreamHandler) {
    this.#socket = socket;
    this.#fd = fd;
    this.#family = family;
    this.#handler = handler;
    socket.on('data', (bytes: Uint8Array) => {
      if (this.#open) handler.onData(bytes);
    });
    socket.on('drain', () => {
      if (this.#open) handler.onDrain();
    });
    this.#readBeforeDestroy();
    socket.on('end', () => this.#closed('connection closed by the peer'));
    socket.on('error', (error) => this.#closed(reasonOf(error)));
    socket.on('close', () => this.#closed('connection closed'));
  }

  get localAddress(): IpAddress | undefined {
    return parseIp((this.#socket.localAddress ?? '').replace(/%.*$/, ''));
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  acknowledgedBytes(): number {
    if (this.#socket.destroyed) return this.#socket.bytesWritten;
    return this.#socket.bytesWritten - this.#socket.writableLength - unacknowledgedBytes(this.#fd);
  }

  write(bytes: Uint8Array): void {
    if (this.#open) this.#socket.write(bytes);
  }

  apply(rules: SocketRules): void {
    if (!this.#socket.destroyed) setRules(this.#fd, this.#family, rules);
  }

  end(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return Promise.resolve();
    this.#open = false;
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.destroy(), lingerMs);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      if (socket.connecting) {
        socket.destroy();
        return;
      }
      // Unread input would turn the close into a reset, and the reset would overtake the NOTIFICATION: keep reading.
      socket.once('end', () => socket.destroySoon());
      socket.end();
      socket.resume();
    });
  }

  destroy(): void {
    this.#open = false;
    this.#socket.destroy();
  }

  /**
   * A write that fails destroys the socket, and with it what had arrived unread: usually the NOTIFICATION that says why the peer
   * has closed. Linux keeps that readable after a reset.
   */
  #readBeforeDestroy(): void {
    const socket = this.#socket;
    const destroy = socket._destroy.bind(socket);
    socket._destroy = (error, callback) => {
      if (error) this.#readLeftover();
      destroy(error, callback);
    };
  }

  #readLeftover(): void {
    while (this.#open) {
      const bytes = receiveArrived(this.#fd, leftoverBytes);
      if (!bytes) return;
      this.#handler.onData(bytes);
    }
  }

  #closed(reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.destroy();
    this.#handler.onClosed(reason);
  }
}

/** A stream that never came to be; tells so in the next turn, when its owner has it in hand. */
class FailedStream implements Stream {
  readonly localAddress = undefined;
  readonly queuedBytes = 0;
  #open = true;

  constructor(reason: string, handler: StreamHandler) {
    setImmediate(() => {
      if (this.#open) handler.onClosed(reason);
    });
  }

  acknowledgedBytes(): number {
    return 0;
  }

  write(): void {}

  apply(): void {}

  end(): Promise<void> {
    this.#open = false;
    return Promise.resolve();
  }

  destroy(): void {
    this.#open = false;
  }
}

function connect(target: ConnectTarget, handler: StreamHandler): Stream {
  const { address, port, sourceAddress, password } = target;
  const { family } = address;
  let fd = -1;
  try {
    fd = openSocket(family);
    setSessionDefaults(fd, family);
    setRules(fd, family, target);
    if (target.interface !== undefined) bindToDevice(fd, target.interface);
    if (password !== undefined) setMd5Key(fd, address, password);
    if (sourceAddress)
      bindSocket(fd, sourceAddress, 0, isLinkLocal(sourceAddress) ? target.interface : undefined);
  } catch (error) {
    if (fd >= 0) closeSocket(fd);
    return new FailedStream(reasonOf(error), handler);
  }
  // Reading must not start before the connection is there.
  const options = { fd, pauseOnCreate: true };
  const socket = new Socket(options);
  const stream = new TcpStream(socket, fd, family, handler);
  socket.once('connect', () => {
    handler.onConnected();
    socket.resume();
  });
  const zone = isLinkLocal(address) && target.interface !== undefined ? `%${target.interface}` : '';
  socket.connect({ host: `${formatIp(address)}${zone}`, port });
  return stream;
}

/** Node's handle of a socket, for its file descriptor. */
function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  return typeof fd === 'number' ? fd : -1;
}

function incoming(socket: Socket): Incoming | undefined {
  const [remote = '', zone] = (socket.remoteAddress ?? '').split('%');
  const remoteAddress = parseIp(remote);
  const localAddress = parseIp((socket.localAddress ?? '').replace(/%.*$/, ''));
  const fd = descriptorOf(socket);
  if (!remoteAddress || !localAddress || fd < 0) return undefined;
  const { family } = remoteAddress;
  return {
    remoteAddress,
    localAddress,
    ...(zone === undefined ? {} : { interface: zone }),
    accept(rules, handler) {
      try {
        setSessionDefaults(fd, family);
        setRules(fd, family, rules);
      } catch (error) {
        socket.destroy();
        return new FailedStream(reasonOf(error), handler);
      }
      const stream = new TcpStream(socket, fd, family, handler);
      setImmediate(() => socket.resume());
      return stream;
    },
    reject: () => socket.destroy(),
  };
}

/** What became of the peers' keys. */
interface Keys {
  /** Peers that cannot connect, and why. */
  readonly failures: readonly { readonly peer: AcceptedPeer; readonly reason: string }[];
  /** Addresses whose key is not set: the kernel would let a connection without one through. */
  readonly unguarded: ReadonlySet<string>;
}

/** Sets the peers' keys; the kernel has one per address, and the first peer's counts. */
function setKeys(fd: number, peers: readonly AcceptedPeer[]): Keys {
  const inForce = new Map<
    string,
    { readonly password: string | undefined; readonly fault: string | undefined }
  >();
  const failures = peers.flatMap((peer) => {
    const { address, password } = peer;
    const text = formatIp(address);
    const known = inForce.get(text) ?? { password, fault: keyFault(fd, peer) };
    inForce.set(text, known);
    const reason =
      known.password === password
        ? known.fault
        : 'another peer at the address has another password, and there can be one only';
    return reason === undefined ? [] : { peer, reason };
  });
  const unguarded = new Set([...inForce].flatMap(([text, { fault }]) => (fault === undefined ? [] : text)));
  return { failures, unguarded };
}

/** Sets the key of the peer's address, or says why that cannot be. */
function keyFault(fd: number, { address, password }: AcceptedPeer): string | undefined {
  if (password === undefined) return undefined;
  try {
    setMd5Key(fd, address, password);
    return undefined;
  } catch (error) {
    return `its password cannot be set: ${reasonOf(error)}`;
  }
}

/** A listener of one family, its keys set before the first connection can arrive. */
function listenFamily(
  family: Family,
  port: number,
  peers: readonly AcceptedPeer[],
  onIncoming: (incoming: Incoming) => void,
  onFailed: (failure: ListenFailure) => void,
): Server | undefined {
  let fd = -1;
  let keys: Keys;
  try {
    fd = openSocket(family);
    setReuseAddress(fd);
    if (family === 6) setIpv6Only(fd);
    // What a peer with TTL security sees of the handshake comes from here.
    setTtl(fd, family, 255);
    const minimum = Math.min(...peers.map(({ minimumTtl }) => minimumTtl ?? 0));
    if (minimum > 0) setMinimumTtl(fd, family, minimum);
    keys = setKeys(fd, peers);
    bindSocket(fd, { family, value: 0n }, port);
  } catch (error) {
    if (fd >= 0) closeSocket(fd);
    onFailed({ family, reason: error instanceof SocketError ? reasonOf(error) : String(error) });
    return undefined;
  }
  for (const { peer, reason } of keys.failures) onFailed({ family, peer, reason });
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    const accepted = incoming(socket);
    if (accepted && !keys.unguarded.has(formatIp(accepted.remoteAddress))) onIncoming(accepted);
    else socket.destroy();
  });
  server.on('error', (error) => onFailed({ family, reason: reasonOf(error) }));
  server.listen({ fd, backlog: listenBacklog });
  return server;
}

export const tcpTransport: Transport = {
  connect,
  listen(port, peers, onIncoming, onFailed): Listener {
    const families: readonly Family[] = [4, 6];
    const servers = families.flatMap((family) => {
      const ofFamily = peers.filter(({ address }) => address.family === family);
      if (ofFamily.length === 0) return [];
      return listenFamily(family, port, ofFamily, onIncoming, onFailed) ?? [];
    });
    return {
      close() {
        for (const server of servers) server.close();
      },
    };
  },
};
