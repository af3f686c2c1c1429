/**
 * A pod of the lab: an HTTP server that says who it is, where it runs, and whom it sees.
 *   node lab/pod.ts NAME NODE PORT
 */
import { createServer } from 'node:http';

const [name = 'pod', node = 'nowhere', port = '8080'] = process.argv.slice(2);
createServer((request, response) => {
  response.end(`${name} on ${node}, you are ${request.socket.remoteAddress?.replace('::ffff:', '')}\n`);
}).listen(Number(port), '::', () => console.log('listening'));
process.on('SIGTERM', () => process.exit(0));
