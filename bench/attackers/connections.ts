/**
 * Opens TCP connections to the BGP ports of the targets in turn, PER_SECOND in all, and sends nothing on them.
 *   node connections.ts PER_SECOND SECONDS TARGET…
 * Prints `ready`, connects until its time is over, then prints the number of connections tried.
 */
import { connect } from 'node:net';

const [perSecond = '1000', seconds = '30', ...targets] = process.argv.slice(2);
console.log('ready');
const started = performance.now();
let tried = 0;
while (performance.now() - started < Number(seconds) * 1000) {
  const due = ((performance.now() - started) * Number(perSecond)) / 1000;
  for (; tried < due; tried++) {
    const socket = connect(179, targets[tried % targets.length]);
    socket.on('error', () => {});
    socket.setTimeout(2000, () => socket.destroy());
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
}
console.log(tried);
process.exit();
