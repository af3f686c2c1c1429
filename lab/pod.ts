/**
 * A pod of the lab: an HTTP server that answers with its name, its node and the client's address, and a UDP echo server.
 *   node lab/pod.ts NAME NODE PORT
 */
import { createSocket } from 'node:dgram';

// An import of `node:http` reads all of its exports, and one of them loads undici: 14 MB and 0.07 s of CPU time in each pod.
const { createServer } = process.getBuiltinModule('node:http');
const [name = 'pod', node = 'nowhere', port = '8080'] = process.argv.slice(2);
/** Large enough for the datagrams that arrive while a busy machine does not run the pod. The kernel may grant less. */
const recvBufferSize = 8 << 20;
const echo = createSocket({ type: 'udp6', recvBufferSize });
echo.on('message', (datagram, { port: from, address }) => echo.send(datagram, from, address));
echo.bind(Number(port), '::');
createServer((request, response) => {
  response.end(`${name} on ${node}, you are ${request.socket.remoteAddress?.replace('::ffff:', '')}\n`);
}).listen(Number(port), '::', () => console.log('listening'));
process.on('SIGTERM', () => process.exit(0));
