/** Requests that create Services: those that an API server accepts and fills in with defaults, and those that it refuses. */
import { loadBalancer, servicesPath } from './objects.ts';
import type { Talk } from './talk.ts';

export const serviceDefaults: Talk = async (ask) => {
  await ask('LoadBalancer', 'POST', servicesPath, loadBalancer('plain'));
  await ask('without type', 'POST', servicesPath, {
    metadata: { name: 'cluster' },
    spec: { ports: [{ port: 80 }] },
  });
  await ask(
    'prefers both families',
    'POST',
    servicesPath,
    loadBalancer('prefers', { ipFamilyPolicy: 'PreferDualStack' }),
  );
  await ask(
    'requires both families',
    'POST',
    servicesPath,
    loadBalancer('requires', { ipFamilyPolicy: 'RequireDualStack' }),
  );
  await ask('IPv6 only', 'POST', servicesPath, loadBalancer('six', { ipFamilies: ['IPv6'] }));
  await ask(
    'IPv6 first',
    'POST',
    servicesPath,
    loadBalancer('six-first', { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] }),
  );
  await ask(
    'two families without policy',
    'POST',
    servicesPath,
    loadBalancer('implied', { ipFamilies: ['IPv4', 'IPv6'] }),
  );
  await ask('policy Local', 'POST', servicesPath, loadBalancer('local', { externalTrafficPolicy: 'Local' }));
  await ask('headless', 'POST', servicesPath, {
    metadata: { name: 'headless' },
    spec: { clusterIP: 'None', ports: [{ port: 80 }] },
  });
  await ask('headless without ports', 'POST', servicesPath, {
    metadata: { name: 'portless' },
    spec: { clusterIP: 'None' },
  });
  await ask('ExternalName', 'POST', servicesPath, {
    metadata: { name: 'external' },
    spec: { type: 'ExternalName', externalName: 'example.com' },
  });
  await ask(
    'with a class',
    'POST',
    servicesPath,
    loadBalancer('classy', { loadBalancerClass: 'example.com/other' }),
  );
  await ask(
    'with an address and ranges',
    'POST',
    servicesPath,
    loadBalancer('asking', { loadBalancerIP: '192.0.2.1', loadBalancerSourceRanges: ['192.0.2.0/24'] }),
  );
  await ask(
    'named ports of two protocols',
    'POST',
    servicesPath,
    loadBalancer('dns', {
      ports: [
        { name: 'udp', port: 53, protocol: 'UDP', targetPort: 'dns' },
        { name: 'tcp', port: 53, targetPort: 5353 },
      ],
    }),
  );
  await ask(
    'without node ports',
    'POST',
    servicesPath,
    loadBalancer('no-node-ports', { allocateLoadBalancerNodePorts: false }),
  );
  await ask(
    'with session affinity',
    'POST',
    servicesPath,
    loadBalancer('sticky', { sessionAffinity: 'ClientIP' }),
  );
  await ask('status at creation', 'POST', servicesPath, {
    ...loadBalancer('early'),
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } },
  });
  await ask('generated name', 'POST', servicesPath, {
    metadata: { generateName: 'made-' },
    spec: { ports: [{ port: 80 }] },
  });
};

export const serviceRefusals: Talk = async (ask) => {
  await ask('no ports', 'POST', servicesPath, loadBalancer('bad', { ports: [] }));
  await ask('port 0', 'POST', servicesPath, loadBalancer('bad', { ports: [{ port: 0 }] }));
  await ask('port 65536', 'POST', servicesPath, loadBalancer('bad', { ports: [{ port: 65_536 }] }));
  await ask(
    'two ports without names',
    'POST',
    servicesPath,
    loadBalancer('bad', { ports: [{ port: 80 }, { port: 81 }] }),
  );
  await ask(
    'a port twice',
    'POST',
    servicesPath,
    loadBalancer('bad', {
      ports: [
        { name: 'a', port: 80 },
        { name: 'b', port: 80 },
      ],
    }),
  );
  await ask('unknown type', 'POST', servicesPath, loadBalancer('bad', { type: 'Balancer' }));
  await ask('unknown policy', 'POST', servicesPath, loadBalancer('bad', { externalTrafficPolicy: 'Near' }));
  await ask('unknown family policy', 'POST', servicesPath, loadBalancer('bad', { ipFamilyPolicy: 'Both' }));
  await ask('unknown family', 'POST', servicesPath, loadBalancer('bad', { ipFamilies: ['IPv5'] }));
  await ask(
    'unknown protocol',
    'POST',
    servicesPath,
    loadBalancer('bad', { ports: [{ port: 80, protocol: 'ICMP' }] }),
  );
  await ask('a name with a dot', 'POST', servicesPath, loadBalancer('a.b'));
  await ask('a name with a capital', 'POST', servicesPath, loadBalancer('Bad'));
  await ask('no name', 'POST', servicesPath, { metadata: {}, spec: { ports: [{ port: 80 }] } });
  await ask('ports of a wrong type', 'POST', servicesPath, loadBalancer('bad', { ports: 'many' }));
  await ask('annotation of a wrong type', 'POST', servicesPath, {
    ...loadBalancer('bad'),
    metadata: { name: 'bad', annotations: { a: 1 } },
  });
  await ask('annotation without a valid key', 'POST', servicesPath, {
    ...loadBalancer('bad'),
    metadata: { name: 'bad', annotations: { 'a b': 'c' } },
  });
  await ask('label of a wrong form', 'POST', servicesPath, {
    ...loadBalancer('bad'),
    metadata: { name: 'bad', labels: { a: 'b c' } },
  });
  await ask(
    'invalid loadBalancerIP',
    'POST',
    servicesPath,
    loadBalancer('bad', { loadBalancerIP: 'example' }),
  );
  await ask(
    'malformed source ranges',
    'POST',
    servicesPath,
    loadBalancer('bad', { loadBalancerSourceRanges: ['all'] }),
  );
  await ask(
    'class on ClusterIP',
    'POST',
    servicesPath,
    loadBalancer('bad', { type: 'ClusterIP', loadBalancerClass: 'a/b' }),
  );
  await ask(
    'policy Local on ClusterIP',
    'POST',
    servicesPath,
    loadBalancer('bad', { type: 'ClusterIP', externalTrafficPolicy: 'Local' }),
  );
  await ask('exists', 'POST', servicesPath, loadBalancer('plain'));
  await ask('another namespace in the body', 'POST', servicesPath, {
    ...loadBalancer('bad'),
    metadata: { name: 'bad', namespace: 'other' },
  });
  await ask(
    'a namespace that does not exist',
    'POST',
    '/api/v1/namespaces/nowhere/services',
    loadBalancer('bad'),
  );
  await ask('a body that is no JSON', 'POST', servicesPath, '{');
  await ask('a body of another kind', 'POST', servicesPath, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'bad' },
  });
};
