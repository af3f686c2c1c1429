/**
 * Credentials of a Pod: its ServiceAccount's token and the certificate of the cluster, which the kubelet writes into files and rotates
 * there. Daemons read these files themselves because `@kubernetes/client-node` costs 20 MB of memory and 0.14 s at every start.
 */
import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { Credentials } from './credentials.ts';
import { tokenExpiryMs } from './token-expiry.ts';

export const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';
/**
 * Age at which the files are read again. The kubelet replaces a token when a fifth of its life is left: 12 minutes of the usual hour. A token read
 * within the last minute is therefore still valid.
 */
const rereadMs = 60_000;
/** Ports at which `@kubernetes/client-node` expects an API server without TLS, such as `kubectl proxy`. */
const plainPorts = new Set(['80', '8080', '8001']);

export interface PodEnvironment {
  readonly KUBERNETES_SERVICE_HOST?: string | undefined;
  readonly KUBERNETES_SERVICE_PORT?: string | undefined;
}

export class InClusterCredentials implements Credentials {
  readonly server: URL;
  readonly isProxied = false;
  readonly #directory: string;
  readonly #clock: Clock;
  #files: { readonly token: string; readonly certificate: string; readonly readAtMs: number } | undefined;

  /** Throws an error that names the variable or file that is missing. */
  constructor(environment: PodEnvironment, clock: Clock, directory = serviceAccountDirectory) {
    this.#clock = clock;
    this.#directory = directory;
    this.server = serverOf(environment);
    this.#read();
  }

  async apply(options: RequestOptions): Promise<void> {
    const { token, certificate } = this.#read();
    options.headers = { ...options.headers, authorization: `Bearer ${token}` };
    if (this.server.protocol === 'https:') options.ca = certificate;
  }

  /**
   * Reads the files again, because the kubelet may have replaced an expired token since the last reading. The next request reads them once more,
   * because the kubelet may replace the token in between.
   */
  refused(): string | undefined {
    const before = this.#files?.token;
    this.#forgetAge();
    const { token } = this.#read();
    this.#forgetAge();
    const expiryMs = tokenExpiryMs(token);
    if (token !== before || expiryMs === undefined || expiryMs > this.#clock.epochMs()) return undefined;
    return `the token in ${join(this.#directory, 'token')} expired at ${new Date(expiryMs).toISOString()}; the kubelet of this node should have replaced the token; see the kubelet's log`;
  }

  /** Makes the next `#read` read the files, however young their last reading is. */
  #forgetAge(): void {
    if (this.#files) this.#files = { ...this.#files, readAtMs: Number.NEGATIVE_INFINITY };
  }

  /**
   * A file that cannot be read does no harm while the last token is valid. Once the token has expired, the server refuses it, and `refused`
   * returns the reason.
   */
  #read(): { readonly token: string; readonly certificate: string } {
    const now = this.#clock.now();
    if (this.#files && now - this.#files.readAtMs < rereadMs) return this.#files;
    try {
      const token = this.#text('token').trim();
      const certificate = this.server.protocol === 'https:' ? this.#text('ca.crt') : '';
      this.#files = { token, certificate, readAtMs: now };
    } catch (error) {
      if (!this.#files) throw error;
    }
    return this.#files;
  }

  #text(name: string): string {
    const path = join(this.#directory, name);
    try {
      return readFileSync(path, 'utf8');
    } catch (cause) {
      throw new Error(`the ServiceAccount's file ${path} cannot be read: ${(cause as Error).message}`, {
        cause,
      });
    }
  }
}

function serverOf({
  KUBERNETES_SERVICE_HOST: host = '',
  KUBERNETES_SERVICE_PORT: port = '',
}: PodEnvironment): URL {
  const scheme = plainPorts.has(port) ? 'http' : 'https';
  const url = `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  if (!URL.canParse(url))
    throw new Error(`KUBERNETES_SERVICE_HOST "${host}" and KUBERNETES_SERVICE_PORT "${port}" name no server`);
  return new URL(url);
}
