/** Events, by both of their APIs. */
import { merge } from './media-types.ts';
import { core } from './objects.ts';
import type { Talk } from './talk.ts';

export const coreEvents: Talk = async (ask) => {
  const event = (name: string, changes: object = {}) => ({
    metadata: { name, namespace: 'default' },
    involvedObject: { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web', uid: 'u' },
    type: 'Normal',
    reason: 'Tested',
    message: 'a message',
    count: 1,
    firstTimestamp: '2026-01-02T03:04:05Z',
    lastTimestamp: '2026-01-02T03:04:05Z',
    source: { component: 'test' },
    ...changes,
  });
  const path = `${core}/events`;
  await ask('create', 'POST', path, event('web.1'));
  await ask('count up', 'PATCH', `${path}/web.1`, { count: 2, lastTimestamp: '2026-01-02T03:05:05Z' }, merge);
  await ask(
    'of an object in another namespace',
    'POST',
    path,
    event('web.2', { involvedObject: { kind: 'Service', namespace: 'kube-system', name: 'web' } }),
  );
  await ask(
    'of an object without a namespace',
    'POST',
    path,
    event('web.3', { involvedObject: { kind: 'Node', name: 'node-1' } }),
  );
  await ask('of an unknown type', 'POST', path, event('web.4', { type: 'Odd' }));
  await ask('by the other API', 'GET', '/apis/events.k8s.io/v1/namespaces/default/events/web.1');
  await ask('a missing one', 'GET', `${path}/none`);
  await ask(
    'by reason',
    'GET',
    `${path}?fieldSelector=reason%3DTested,involvedObject.name%3Dweb,type%3DNormal`,
  );
};

export const events: Talk = async (ask) => {
  const path = '/apis/events.k8s.io/v1/namespaces/default/events';
  const web = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web', uid: 'u' };
  const event = (name: string, over: object = {}) => ({
    metadata: { name, namespace: 'default' },
    eventTime: '2026-01-02T03:04:05.000000Z',
    ...{ reportingController: 'example.com/lab', reportingInstance: 'host', action: 'Test' },
    ...{ regarding: web, type: 'Normal', reason: 'Seen', note: 'a text' },
    ...over,
  });
  const series = (count: number) => ({
    series: { count, lastObservedTime: '2026-01-02T03:05:05.000000Z' },
  });
  await ask('create', 'POST', path, event('new.1'));
  await ask('create twice', 'POST', path, event('new.1'));
  await ask('a series', 'PATCH', `${path}/new.1`, series(2), merge);
  await ask('a longer series', 'PATCH', `${path}/new.1`, series(3), merge);
  await ask('a series of one', 'PATCH', `${path}/new.1`, series(1), merge);
  await ask('another note', 'PATCH', `${path}/new.1`, { note: 'other' }, merge);
  await ask('read', 'GET', `${path}/new.1`);
  await ask('by the older API', 'GET', `${core}/events/new.1`);
  await ask('by reason', 'GET', `${core}/events?fieldSelector=reason%3DSeen`);
  await ask('of a Node', 'POST', path, event('new.2', { regarding: { kind: 'Node', name: 'node-1' } }));
  await ask('without a time', 'POST', path, event('new.3', { eventTime: undefined }));
  await ask('without an action', 'POST', path, event('new.4', { action: undefined }));
  await ask('without a reporter', 'POST', path, event('new.5', { reportingController: undefined }));
  await ask('without an instance', 'POST', path, event('new.6', { reportingInstance: undefined }));
  await ask('of an unknown type', 'POST', path, event('new.7', { type: 'Odd' }));
  await ask('with a long note', 'POST', path, event('new.8', { note: 'x'.repeat(1025) }));
  await ask(
    'of an object in another namespace',
    'POST',
    path,
    event('new.9', { regarding: { ...web, namespace: 'kube-system' } }),
  );
  await ask('without microseconds', 'POST', path, event('new.10', { eventTime: '2026-01-02T03:04:05Z' }));
};
