import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import type { Endpoint } from './packet.ts';

/** A UDP socket for both families. */
export interface DatagramSocket {
  send(datagram: Buffer, endpoint: Endpoint): void;
  close(): void;
}

/** Literal addresses only: a look-up would make each send wait for a turn of the event loop. */
const literal = (
  address: string,
  _: unknown,
  found: (error: null, address: string, family: number) => void,
): void => found(null, address, isIPv4(address) ? 4 : 6);

/**
 * Binds the port on every address; where the host has no IPv6, for IPv4 only. Rejects when the port is taken. Datagrams that the
 * system refuses to send are lost, as others are in the network.
 */
export async function openDatagramSocket(
  port: number,
  receive: (datagram: Buffer, source: Endpoint) => void,
): Promise<DatagramSocket> {
  const socket = await bind('udp6', port).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EAFNOSUPPORT' && error.code !== 'EADDRNOTAVAIL') throw error;
    return bind('udp4', port);
  });
  const isDual = socket.address().family === 'IPv6';
  socket.on('message', (datagram: Buffer, { address, port: sourcePort }: RemoteInfo) =>
    receive(datagram, { host: address.replace(/^::ffff:(?=\d+\.)/, ''), port: sourcePort }),
  );
  // ICMP errors of earlier datagrams arrive here; the membership notices silence by itself.
  socket.on('error', () => {});
  return {
    send(datagram, { host, port: to }) {
      socket.send(datagram, to, isDual && isIPv4(host) ? `::ffff:${host}` : host, () => {});
    },
    close: () => socket.close(),
  };
}

function bind(type: 'udp4' | 'udp6', port: number): Promise<Socket> {
  const socket = createSocket({ type, lookup: literal, recvBufferSize: 1 << 20 });
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind(port, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
