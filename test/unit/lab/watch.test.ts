import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { resources, storageKey } from '../../../lab/apiserver/resources.ts';
import { Store } from '../../../lab/apiserver/store.ts';
import { serveWatch } from '../../../lab/apiserver/watch.ts';
import { eventually } from '../../support/eventually.ts';

test('a watch that has ended sends nothing more, even if the client has not read the whole response yet', async () => {
  const resource = resources.find(({ plural }) => plural === 'configmaps');
  assert.ok(resource);
  const store = new Store();
  // Without a socket, the response keeps all that is written to it, as if the client did not read.
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const errors: Error[] = [];
  response.on('error', (error) => errors.push(error));
  serveWatch(store, response, {
    ...{ resource, matches: () => true, asTable: undefined, from: '', sendInitialEvents: false },
    ...{ bookmarkMs: 1, timeoutMs: 20 },
  });
  store.put(storageKey(resource), 'a', { metadata: { name: 'a' } });
  await eventually('the watch ends', async () => response.writableEnded);
  store.put(storageKey(resource), 'b', { metadata: { name: 'b' } });
  await new Promise((resolve) => setTimeout(resolve, 20));
  response.emit('close');
  assert.deepEqual(errors, []);
});

test('a watch whose time ends during a pause ends only after the pause', async () => {
  const resource = resources.find(({ plural }) => plural === 'configmaps');
  assert.ok(resource);
  const store = new Store();
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const pause = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  serveWatch(store, response, {
    ...{ resource, matches: () => true, asTable: undefined, from: '', sendInitialEvents: false },
    ...{ bookmarkMs: undefined, timeoutMs: 1 },
    paused: () => {
      asked.resolve();
      return pause.promise;
    },
  });
  await asked.promise;
  assert.equal(response.writableEnded, false);
  pause.resolve();
  await eventually('the watch ends', async () => response.writableEnded);
});
