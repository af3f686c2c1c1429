/**
 * The lab's API server as a process.
 *   node lab/apiserver/main.ts [--host ADDRESS] [--port N] [--tls] [--token TOKEN] [--kubeconfig-out FILE]
 *                               [--bookmark-ms N] [--log-folder FOLDER]
 * Prints its URL once it listens. Without --port, the system chooses a free port.
 */
import { writeFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { parseArgs } from 'node:util';
import { selfSigned } from './certificate.ts';
import { kubeconfigText } from './kubeconfig.ts';
import { ApiServer } from './server.ts';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    tls: { type: 'boolean', default: false },
    token: { type: 'string' },
    'kubeconfig-out': { type: 'string' },
    'bookmark-ms': { type: 'string', default: '30000' },
    'log-folder': { type: 'string' },
  },
});

const tls = values.tls ? selfSigned(values.host) : undefined;
const server = new ApiServer({
  bookmarkMs: Number(values['bookmark-ms']),
  ...(tls ? { tls } : {}),
  ...(values.token === undefined ? {} : { token: values.token }),
  ...(values['log-folder'] === undefined ? {} : { logFolder: values['log-folder'] }),
});
const port = await server.listen(Number(values.port), values.host);
const url = `${tls ? 'https' : 'http'}://${isIPv6(values.host) ? `[${values.host}]` : values.host}:${port}`;
if (values['kubeconfig-out'] !== undefined)
  writeFileSync(
    values['kubeconfig-out'],
    kubeconfigText({
      url,
      ...(tls ? { certificate: tls.cert } : {}),
      ...(values.token === undefined ? {} : { token: values.token }),
    }),
  );
console.log(url);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void server.close());
