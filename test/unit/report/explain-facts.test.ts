import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Api } from '../../../src/kubernetes/api.ts';
import { readService } from '../../../src/report/read/explain-facts.ts';

const address = '192.0.2.1';

function rawService(name: string, { deleting = false, type = 'LoadBalancer', ip = address } = {}) {
  return {
    metadata: {
      ...{ namespace: 'default', name },
      ...(deleting ? { deletionTimestamp: '2026-01-02T03:04:05Z' } : {}),
    },
    spec: { type },
    status: { loadBalancer: { ingress: [{ ip }] } },
  };
}

/** The name of the Service that is read for the address, in a cluster with these Services. */
async function nameOf(...items: readonly object[]): Promise<string | undefined> {
  const client = { request: async () => ({ items }) } as unknown as Api;
  return (await readService(client, { kind: 'address', address }))?.name;
}

test('readService() prefers, of the Services that share an address, one that Bellman may still announce', async () => {
  const other = rawService('other', { ip: '192.0.2.2' });
  const deleted = rawService('deleted', { deleting: true });
  const ofOtherType = rawService('of-other-type', { type: 'ClusterIP' });
  const sound = rawService('sound');
  assert.equal(await nameOf(other, deleted, ofOtherType, sound), 'sound');
  assert.equal(await nameOf(sound, deleted), 'sound');
  assert.equal(await nameOf(other, deleted, ofOtherType), 'deleted');
  assert.equal(await nameOf(other), undefined);
});
