/** Every name that Bellman shares with people and with its own other half through the Kubernetes API. */
export const defaultNamespace = 'bellman-system';
export const configMapName = 'config';
export const configMapKey = 'config';
/** Where the last good configuration is kept for the day the ConfigMap itself is deleted. */
export const acceptedConfigMapName = 'bellman-accepted-config';

/** Lease by which the replicas of the controller elect their leader. */
export const controllerLeaseName = 'bellman-controller';

/** Holds the keys by which speakers recognise each other; the controller makes it when it is missing. */
export const membershipSecretName = 'bellman-membership';
/** Lines of base64, 32 octets each: the first encrypts, all decrypt, so that keys rotate. */
export const membershipSecretKey = 'keys';

/** What the Pods of speakers are labelled with. */
export const speakerPodSelector = 'app.kubernetes.io/name=bellman,app.kubernetes.io/component=speaker';

const prefix = 'bellman.dev/';
export const annotations = {
  acceptedConfig: `${prefix}accepted-config`,
  acceptedHash: `${prefix}accepted-hash`,
  acceptedAt: `${prefix}accepted-at`,
  configStatus: `${prefix}config-status`,
  /** A number that grows with each accepted configuration; unlike `acceptedAt` it does not depend on a clock. */
  acceptedGeneration: `${prefix}accepted-generation`,
  configError: `${prefix}config-error`,
  /** What is doubtful in the accepted configuration; absent when there is nothing. */
  configWarnings: `${prefix}config-warnings`,
  /** On a Service, written by the controller: the pool its addresses come from, or one for each, comma separated. */
  pool: `${prefix}ip-allocated-from-pool`,
  /** On a Service, written by the speaker that answers: `address=node/interface`, comma separated. */
  announcing: `${prefix}announcing`,
} as const;

/** Prefixes under which a Service may carry requests; MetalLB's mean the same as ours. */
export const requestPrefixes = [prefix, 'metallb.universe.tf/', 'metallb.io/'] as const;

/** Kubernetes' own names. */
export const excludeFromLoadBalancersLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';
export const serviceNameLabel = 'kubernetes.io/service-name';
