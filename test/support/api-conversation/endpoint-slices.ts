/** EndpointSlices, which the lab writes in the place of their controller. */
import { merge } from './media-types.ts';
import type { Talk } from './talk.ts';

const slicesPath = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';

export const endpointSlices: Talk = async (ask) => {
  const slice = (name: string, changes: object = {}) => ({
    metadata: { name, labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: '', port: 80, protocol: 'TCP' }],
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true }, nodeName: 'node-a' }],
    ...changes,
  });
  await ask('create', 'POST', slicesPath, slice('web-1'));
  await ask(
    'an address of another type',
    'POST',
    slicesPath,
    slice('web-2', { endpoints: [{ addresses: ['2001:db8::1'] }] }),
  );
  await ask('an unknown address type', 'POST', slicesPath, slice('web-2', { addressType: 'MAC' }));
  await ask('without endpoints', 'POST', slicesPath, slice('web-3', { endpoints: [] }));
  await ask('another address type', 'PATCH', `${slicesPath}/web-1`, { addressType: 'IPv6' }, merge);
  await ask(
    'another endpoint',
    'PATCH',
    `${slicesPath}/web-1`,
    {
      endpoints: [
        { addresses: ['10.0.0.2'], conditions: { ready: false, serving: true, terminating: true } },
      ],
    },
    merge,
  );
};
