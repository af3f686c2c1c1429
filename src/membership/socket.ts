import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import { type Endpoint, isDeliverable } from './endpoint.ts';

/** A UDP socket for both families. */
export interface DatagramSocket {
  /** Never throws. A datagram that the system refuses is lost, like one that the network drops. */
  send(datagram: Buffer, endpoint: Endpoint): void;
  close(): void;
}

/** Returns the literal address as it is. A real look-up would delay each datagram by a turn of the event loop. */
const literalLookup = (
  address: string,
  _: unknown,
  found: (error: null, address: string, family: number) => void,
): void => found(null, address, isIPv4(address) ? 4 : 6);

/** Binds the port on every address of both families, or only of IPv4 if the host has no IPv6. Rejects when the port is taken. */
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
  // ICMP errors caused by earlier datagrams arrive here. They are ignored, because the failure detector notices when a member is silent.
  socket.on('error', () => {});
  return {
    send(datagram, endpoint) {
      if (!isDeliverable(endpoint)) return;
      const { host, port: to } = endpoint;
      try {
        socket.send(datagram, to, isDual && isIPv4(host) ? `::ffff:${host}` : host, () => {});
      } catch {
        // The socket is closed, or Node refuses the address.
      }
    },
    close: () => socket.close(),
  };
}

function bind(type: 'udp4' | 'udp6', port: number): Promise<Socket> {
  const socket = createSocket({ type, lookup: literalLookup, recvBufferSize: 1 << 20 });
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
