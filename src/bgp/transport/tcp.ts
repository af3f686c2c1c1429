/**
 * TCP for BGP. Calls to libc create each socket and set its options. Node then takes the socket over and connects it or listens on it:
 *
 *   libc socket() ─→ options: key, TTL, device, source address ─→ net.Socket or net.Server ─→ TcpStream ─→ session
 *
 * A peer's password is the key of TCP MD5 signatures (RFC 2385). TTL security follows RFC 5082.
 */
import { Socket } from 'node:net';
import { type Family, formatIp, isLinkLocal } from '../../address/index.ts';
import type { Clock } from '../../clock.ts';
import { closeDescriptor } from '../../linux/libc.ts';
import { FailedStream } from './failed-stream.ts';
import { failureReason } from './failure-reason.ts';
import {
  bindTcpSocket,
  bindToDevice,
  openTcpSocket,
  setMd5Key,
  setRules,
  setSessionDefaults,
} from './socket-options.ts';
import { listenFamily } from './tcp-listener.ts';
import { TcpStream } from './tcp-stream.ts';
import type { ConnectTarget, InheritedConnection, Stream, StreamHandler, Transport } from './transport.ts';

const families: readonly Family[] = [4, 6];

/** The transport of the speaker process. */
export function createTcpTransport(clock: Clock): Transport {
  return {
    connect: (target, handler) => connect(target, handler, clock),
    listen(port, peers, onIncoming, onFailed) {
      const servers = families.flatMap((family) => {
        const ofFamily = peers.filter(({ address }) => address.family === family);
        if (ofFamily.length === 0) return [];
        return listenFamily({ family, port, peers: ofFamily, clock, onIncoming, onFailed }) ?? [];
      });
      return {
        close() {
          for (const server of servers) server.close();
        },
      };
    },
    inherit: (descriptor, family, unread) => inherit(descriptor, family, unread, clock),
  };
}

function connect(target: ConnectTarget, handler: StreamHandler, clock: Clock): Stream {
  const { address, port } = target;
  const { family } = address;
  let fd = -1;
  try {
    fd = openTcpSocket(family);
    prepare(fd, target);
  } catch (error) {
    if (fd >= 0) closeDescriptor(fd);
    return new FailedStream(failureReason(error), handler);
  }
  // `pauseOnCreate` delays reading until the connection is up. Node's types lack the option.
  const options = { fd, pauseOnCreate: true };
  const socket = new Socket(options);
  const stream = new TcpStream({ socket, fd, family, handler, clock });
  socket.once('connect', () => {
    handler.onConnected();
    socket.resume();
  });
  const zone = isLinkLocal(address) && target.interface !== undefined ? `%${target.interface}` : '';
  socket.connect({ host: `${formatIp(address)}${zone}`, port });
  return stream;
}

function inherit(fd: number, family: Family, unread: Uint8Array, clock: Clock): InheritedConnection {
  return {
    accept(rules, handler) {
      try {
        setRules(fd, family, rules);
      } catch (error) {
        closeDescriptor(fd);
        return new FailedStream(failureReason(error), handler);
      }
      // Keys, device and addresses are properties of the socket, so they have come with it.
      const options = { fd, readable: true, writable: true, pauseOnCreate: true };
      const socket = new Socket(options);
      const stream = new TcpStream({ socket, fd, family, handler, clock });
      socket.pause();
      setImmediate(() => {
        if (unread.length > 0) handler.onData(unread);
        socket.resume();
      });
      return stream;
    },
    reject: () => closeDescriptor(fd),
  };
}

/** Sets everything that must be in place before the SYN leaves. */
function prepare(fd: number, target: ConnectTarget): void {
  const { address, sourceAddress, password } = target;
  setSessionDefaults(fd, address.family);
  setRules(fd, address.family, target);
  if (target.interface !== undefined) bindToDevice(fd, target.interface);
  if (password !== undefined) setMd5Key(fd, address, password);
  if (sourceAddress)
    bindTcpSocket(fd, sourceAddress, 0, isLinkLocal(sourceAddress) ? target.interface : undefined);
}
