/**
 * Bounds what the clients of the HTTP endpoint can cost together. `/metrics` needs no token, so any host that reaches the port may ask for it.
 *
 * - Answers that are being made or read: their number is bounded for each host, and for all hosts together. A further request gets the
 *   status 429.
 * - Connections of other hosts: when there are too many, the one that has been idle for the longest time is closed. Connections from this
 *   host itself do not count, so that the kubelet can always probe a speaker, which has the network of its node.
 * - A client that does not read its answer in time loses its connection.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Counter, type Registry } from 'prom-client';
import type { Clock } from '../clock.ts';

/** A scrape or a status of 10,000 addresses has a few megabytes. */
export const maxRequests = 12;
export const maxRequestsOfHost = 4;
/** Each connection costs a descriptor and some kilobytes. */
export const maxConnections = 128;
/** A client in the cluster reads an answer in well below a second, and one behind a slow link in a minute. */
export const readWithinMs = 120_000;

export interface HttpLimitsOptions {
  readonly clock: Clock;
  readonly registry: Registry;
}

export class HttpLimits {
  readonly #clock: Clock;
  readonly #refused: Counter<'reason'>;
  /** Connections of other hosts, the longest idle first. */
  readonly #connections = new Set<Socket>();
  /** Requests that are being answered, by connection. */
  readonly #requests = new Map<Socket, number>();
  readonly #requestsOfHost = new Map<string, number>();

  constructor({ clock, registry }: HttpLimitsOptions) {
    this.#clock = clock;
    this.#refused = registerHttpRefusals(registry);
  }

  /** A client has connected. */
  connected(socket: Socket): void {
    if (socket.remoteAddress === socket.localAddress) return;
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
    if (this.#connections.size <= maxConnections) return;
    for (const oldest of this.#connections) {
      if (this.#requests.has(oldest)) continue;
      this.#refused.inc({ reason: 'connections' });
      this.#connections.delete(oldest);
      oldest.destroy();
      return;
    }
  }

  /** Counts a request until its response has ended. Returns false, and does not count the request, when too many are being answered. */
  admit(socket: Socket, response: ServerResponse): boolean {
    const host = socket.remoteAddress ?? '';
    let all = 0;
    for (const count of this.#requests.values()) all += count;
    if (all >= maxRequests || (this.#requestsOfHost.get(host) ?? 0) >= maxRequestsOfHost) {
      this.#refused.inc({ reason: 'requests' });
      return false;
    }
    add(this.#requests, socket, 1);
    add(this.#requestsOfHost, host, 1);
    response.once('close', () => {
      add(this.#requests, socket, -1);
      add(this.#requestsOfHost, host, -1);
      // The connection is idle from now on.
      if (this.#connections.delete(socket)) this.#connections.add(socket);
    });
    return true;
  }

  /**
   * The answer is complete, or it is sent in pieces and the first one is there. Closes the connection if the client has not read the answer after
   * `readWithinMs`.
   */
  answered(socket: Socket, response: ServerResponse): void {
    const limit = this.#clock.after(readWithinMs, () => socket.destroy());
    response.once('close', () => limit.cancel());
  }
}

function add<K>(counts: Map<K, number>, key: K, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

/** Registers the metric of refused clients. */
export function registerHttpRefusals(registry: Registry): Counter<'reason'> {
  return new Counter({
    name: 'bellman_http_refused_total',
    help: 'Requests that were refused because too many were being answered, and idle connections that were closed because too many were open.',
    labelNames: ['reason'],
    registers: [registry],
  });
}
