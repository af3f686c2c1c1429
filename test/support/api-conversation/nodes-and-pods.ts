/** Nodes and Pods, whose status the lab writes in the place of a kubelet. */
import { merge, strategic } from './media-types.ts';
import { core } from './objects.ts';
import type { Talk } from './talk.ts';

export const nodesAndPods: Talk = async (ask) => {
  const ready = { type: 'Ready', status: 'True', reason: 'Lab' };
  await ask('a Node with its status', 'POST', '/api/v1/nodes', {
    metadata: { name: 'node-a' },
    status: { conditions: [ready], addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
  });
  await ask(
    'the status of a Node',
    'PATCH',
    '/api/v1/nodes/node-a/status',
    { status: { conditions: [{ ...ready, status: 'False' }] } },
    merge,
  );
  await ask('a cordon', 'PATCH', '/api/v1/nodes/node-a', { spec: { unschedulable: true } }, strategic);
  await ask('a label', 'PATCH', '/api/v1/nodes/node-a', { metadata: { labels: { a: 'b' } } }, merge);
  const pods = `${core}/pods`;
  const pod = (name: string, spec: object = {}) => ({
    metadata: { name, labels: { app: 'a' } },
    spec: {
      nodeName: 'node-a',
      containers: [{ name: 'a', image: 'a' }],
      terminationGracePeriodSeconds: 0,
      ...spec,
    },
  });
  await ask('a Pod without containers', 'POST', pods, pod('bad', { containers: [] }));
  await ask('a Pod without an image', 'POST', pods, pod('bad', { containers: [{ name: 'a' }] }));
  await ask('a Pod with its status', 'POST', pods, {
    ...pod('good'),
    status: { phase: 'Running', podIP: '10.0.0.1' },
  });
  await ask(
    'the status of a Pod',
    'PATCH',
    `${pods}/good/status`,
    {
      status: {
        phase: 'Running',
        podIP: '10.0.0.1',
        podIPs: [{ ip: '10.0.0.1' }],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    },
    merge,
  );
  await ask('Pods of a node', 'GET', `${pods}?fieldSelector=spec.nodeName%3Dnode-a`);
  await ask('Pods of another node', 'GET', `${pods}?fieldSelector=spec.nodeName%3Dnode-b`);
  await ask('a deletion of a Pod', 'DELETE', `${pods}/good`);
  await ask('the Pod is gone', 'GET', `${pods}/good`);
  await ask('a deletion of a Node', 'DELETE', '/api/v1/nodes/node-a');
};
