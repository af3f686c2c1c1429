import { Server } from 'node:net';
import type { TestContext } from 'node:test';

/** A list to which each server is added when it begins to listen, until the test ends. */
export function listeningServers(t: TestContext): readonly Server[] {
  const servers: Server[] = [];
  const listen = Server.prototype.listen as (this: Server, ...args: unknown[]) => Server;
  t.mock.method(Server.prototype, 'listen', function (this: Server, ...args: unknown[]) {
    servers.push(this);
    return listen.apply(this, args);
  });
  return servers;
}
