/**
 * Credentials of a plain kubeconfig file: one that holds nothing but a server, TLS settings, certificates, keys and a token. Most files are plain.
 * This module reads a plain file itself, because loading `@kubernetes/client-node` would take most of the CPU time of a short command such as
 * `bellman status`.
 */
import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import { load } from 'js-yaml';
import type { Credentials } from './credentials.ts';

const clusterKeys = [
  ...['server', 'certificate-authority', 'certificate-authority-data'],
  ...['insecure-skip-tls-verify', 'tls-server-name'],
];
const userKeys = ['client-certificate', 'client-certificate-data', 'client-key', 'client-key-data', 'token'];

/** A map in the file. The values of a plain cluster or user are texts, except `insecure-skip-tls-verify`, which is a boolean. */
type Values = Readonly<Record<string, unknown>>;

/**
 * Returns undefined for every file that is not plain, or that may be broken. `@kubernetes/client-node` then reads the file and names its fault,
 * if it has one.
 */
export function plainKubeconfigCredentials(path: string): Credentials | undefined {
  let config: unknown;
  try {
    config = load(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
  if (!isMap(config)) return undefined;
  const context = entry(config, 'context', config['current-context']);
  const cluster = entry(config, 'cluster', context?.cluster);
  const user = entry(config, 'user', context?.user);
  if (!cluster || !user || !isPlain(cluster, clusterKeys) || !isPlain(user, userKeys)) return undefined;
  const server = typeof cluster.server === 'string' ? cluster.server.replace(/\/$/, '') : '';
  if (!URL.canParse(server)) return undefined;
  return new PlainKubeconfigCredentials(new URL(server), cluster, user, dirname(path));
}

class PlainKubeconfigCredentials implements Credentials {
  readonly isProxied = false;
  readonly server: URL;
  readonly #cluster: Values;
  readonly #user: Values;
  readonly #folder: string;

  constructor(server: URL, cluster: Values, user: Values, folder: string) {
    this.server = server;
    this.#cluster = cluster;
    this.#user = user;
    this.#folder = folder;
  }

  /** Reads the certificate and key files again for each request, because other programs rotate them. */
  async apply(options: RequestOptions): Promise<void> {
    const { token } = this.#user;
    if (token) options.headers = { ...options.headers, authorization: `Bearer ${token}` };
    if (this.server.protocol === 'http:') return;
    if (this.#cluster['insecure-skip-tls-verify'] === true) options.rejectUnauthorized = false;
    const { 'tls-server-name': name } = this.#cluster;
    if (name) options.servername = String(name);
    const ca = this.#material(this.#cluster, 'certificate-authority');
    if (ca) options.ca = ca;
    const cert = this.#material(this.#user, 'client-certificate');
    if (cert) options.cert = cert;
    const key = this.#material(this.#user, 'client-key');
    if (key) options.key = key;
  }

  #material(values: Values, name: string): Buffer | undefined {
    const { [name]: file, [`${name}-data`]: data } = values;
    if (file) return readFileSync(resolve(this.#folder, String(file)));
    return data ? Buffer.from(String(data), 'base64') : undefined;
  }
}

/** The content of the list entry that has this name; `undefined` when no entry or more than one entry has the name. */
function entry(config: Values, kind: 'context' | 'cluster' | 'user', name: unknown): Values | undefined {
  const list = config[`${kind}s`];
  if (!Array.isArray(list) || typeof name !== 'string') return undefined;
  const [found, second] = list.filter((each) => isMap(each) && each.name === name);
  return second === undefined && isMap(found) && isMap(found[kind]) ? found[kind] : undefined;
}

function isPlain(values: Values, keys: readonly string[]): boolean {
  return Object.entries(values).every(
    ([key, value]) =>
      keys.includes(key) && typeof value === (key === 'insecure-skip-tls-verify' ? 'boolean' : 'string'),
  );
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
