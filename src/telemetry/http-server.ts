import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

/** What a process serves over HTTP beside its metrics. */
export interface Endpoints {
  readonly registry: Pick<Registry, 'metrics' | 'contentType'>;
  /** Empty when healthy, else the reasons. */
  readonly unhealthy: () => readonly string[];
  /** Empty when it can do all that it is asked to, else what it lacks and a restart would not bring. */
  readonly notReady?: () => readonly string[];
  /** The process' state as JSON, for `bellman status`. */
  readonly status: () => unknown;
}

export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `/metrics` (Prometheus text), `/healthz` and `/readyz` (200, or 503 with the reasons) and `/status` (JSON).
 * Rejects when the address cannot be bound.
 */
export async function serveMetrics(host: string, port: number, endpoints: Endpoints): Promise<MetricsServer> {
  const server: Server = createServer((request, response) => {
    void (async () => {
      const path = (request.url ?? '/').split('?')[0];
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.writeHead(405, { allow: 'GET, HEAD' }).end();
      } else if (path === '/metrics') {
        const text = await endpoints.registry.metrics();
        response.writeHead(200, { 'content-type': endpoints.registry.contentType }).end(text);
      } else if (path === '/healthz' || path === '/readyz') {
        const lacks = path === '/readyz' ? (endpoints.notReady?.() ?? []) : [];
        const reasons = [...endpoints.unhealthy(), ...lacks];
        response.writeHead(reasons.length === 0 ? 200 : 503, { 'content-type': 'text/plain' });
        response.end(reasons.length === 0 ? 'ok\n' : `${reasons.join('\n')}\n`);
      } else if (path === '/status') {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(`${JSON.stringify(endpoints.status(), null, 2)}\n`);
      } else {
        response
          .writeHead(404, { 'content-type': 'text/plain' })
          .end('try /metrics, /healthz, /readyz or /status\n');
      }
    })().catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else response.writeHead(500, { 'content-type': 'text/plain' }).end(`${error}\n`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
