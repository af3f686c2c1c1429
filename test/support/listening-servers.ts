import { Server } from 'node:net';
import type { TestContext } from 'node:test';

/** Returns a list. Until the test ends, each server that begins to listen is added to it. */
export function listeningServers(t: TestContext): readonly Server[] {
  const servers: Server[] = [];
  const listen = Server.prototype.listen as (this: Server, ...args: unknown[]) => Server;
  t.mock.method(Server.prototype, 'listen', function (this: Server, ...args: unknown[]) {
    servers.push(this);
    return listen.apply(this, args);
  });
  return servers;
}
