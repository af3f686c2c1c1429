/**
 * The lab's API server as a process.
 *   node lab/apiserver/main.ts [--host ADDRESS] [--port N] [--tls] [--token TOKEN] [--kubeconfig-out FILE]
 *                               [--bookmark-ms N] [--log-folder FOLDER]
 * Prints its URL once it listens. Without --port, the system chooses a free port.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
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

function selfSigned(host: string): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'bellman-api-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  try {
    const request = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
    ];
    execFileSync(
      'openssl',
      [...request, '-subj', '/CN=lab', '-addext', `subjectAltName=IP:${host}`, '-keyout', key, '-out', cert],
      { stdio: 'pipe' },
    );
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

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
