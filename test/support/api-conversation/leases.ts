/** The Lease of the leader, and the versions that decide who renews it. */
import { type Talk, versionOf } from './talk.ts';

const leasesPath = '/apis/coordination.k8s.io/v1/namespaces/default/leases';

export const leases: Talk = async (ask) => {
  const lease = (spec: object, metadata: object = {}) => ({
    metadata: { name: 'leader', ...metadata },
    spec,
  });
  const times = { acquireTime: '2026-01-02T03:04:05.678901Z', renewTime: '2026-01-02T03:04:05.678901Z' };
  const spec = { holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 1, ...times };
  const created = await ask('create', 'POST', leasesPath, lease(spec));
  const resourceVersion = versionOf(created);
  await ask(
    'renew',
    'PUT',
    `${leasesPath}/leader`,
    lease({ ...spec, holderIdentity: 'b' }, { resourceVersion }),
  );
  await ask('renew an old version', 'PUT', `${leasesPath}/leader`, lease(spec, { resourceVersion }));
  await ask('renew without a version', 'PUT', `${leasesPath}/leader`, lease(spec));
  await ask('renew one that does not exist', 'PUT', `${leasesPath}/nobody`, {
    ...lease(spec, { resourceVersion }),
    metadata: { name: 'nobody', resourceVersion },
  });
  await ask('a duration of 0', 'POST', leasesPath, {
    ...lease({ ...spec, leaseDurationSeconds: 0 }),
    metadata: { name: 'other' },
  });
  await ask('a time without a fraction', 'POST', leasesPath, {
    ...lease({ ...spec, renewTime: '2026-01-02T03:04:05Z' }),
    metadata: { name: 'other' },
  });
  await ask('a malformed time', 'POST', leasesPath, {
    ...lease({ ...spec, renewTime: 'now' }),
    metadata: { name: 'third' },
  });
};
