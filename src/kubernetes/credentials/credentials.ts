import type { RequestOptions } from 'node:https';

/** The address of an API server, and what proves to the server who sends a request. */
export interface Credentials {
  readonly server: URL;
  /** True when `apply` sets an agent that connects through a proxy. */
  readonly isProxied: boolean;
  /** Adds the authorization header, TLS material and, for a proxy, the agent. Rejects when a file or a plugin yields no credentials. */
  apply(options: RequestOptions): Promise<void>;
  /** Notes that the server refused these credentials with 401. Returns what is wrong with them, if that is known. */
  refused?(): string | undefined;
}
