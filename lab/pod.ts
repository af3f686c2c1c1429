/**
 * A pod of the lab: an HTTP server that says who it is, where it runs, and whom it sees; and a datagram server that sends back what comes.
 *   node lab/pod.ts NAME NODE PORT
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';

const [name = 'pod', node = 'nowhere', port = '8080'] = process.argv.slice(2);
const echo = createSocket('udp6');
echo.on('message', (datagram, { port: from, address }) => echo.send(datagram, from, address));
echo.bind(Number(port), '::');
createServer((request, response) => {
  response.end(`${name} on ${node}, you are ${request.socket.remoteAddress?.replace('::ffff:', '')}\n`);
}).listen(Number(port), '::', () => console.log('listening'));
process.on('SIGTERM', () => process.exit(0));
