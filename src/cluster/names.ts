/** Names that Bellman uses in the Kubernetes API. Users and both daemons rely on them. */
export const defaultNamespace = 'bellman-system';
export const configMapName = 'config';
export const configMapKey = 'config';
/** Holds a copy of the accepted configuration, in case the ConfigMap itself is deleted. */
export const acceptedConfigMapName = 'bellman-accepted-config';

/** Lease with which the replicas of the controller elect their leader. */
export const controllerLeaseName = 'bellman-controller';

/** Holds the keys with which speakers authenticate each other. The controller creates it when it is missing. */
export const membershipSecretName = 'bellman-membership';
/**
 * Key of the Secret's data. Each line of the value is a membership key: 32 octets in base64. The first membership key encrypts, and all of
 * them decrypt, so that keys can be rotated.
 */
export const membershipSecretKey = 'keys';

/**
 * Label of the Secrets that hold passwords of peers or keys of BFD, in the form `key=value` that label selectors and `kubectl label` take.
 * Speakers read only these Secrets and the membership Secret.
 */
export const peerPasswordLabel = 'bellman.dev/secret=peer-password';

/** Label selector of the speakers' Pods. */
export const speakerPodSelector = 'app.kubernetes.io/name=bellman,app.kubernetes.io/component=speaker';

const prefix = 'bellman.dev/';
export const annotations = {
  acceptedConfig: `${prefix}accepted-config`,
  acceptedHash: `${prefix}accepted-hash`,
  acceptedAt: `${prefix}accepted-at`,
  configStatus: `${prefix}config-status`,
  /** A number that grows with each accepted configuration. Unlike `acceptedAt`, it does not depend on a clock. */
  acceptedGeneration: `${prefix}accepted-generation`,
  configError: `${prefix}config-error`,
  /** Warnings about the accepted configuration; absent when there are none. */
  configWarnings: `${prefix}config-warnings`,
  /** Warnings about the accepted configuration in this cluster, one in each line; absent when there are none. */
  clusterWarnings: `${prefix}cluster-warnings`,
  /** Written on a Service by the controller: the pool of its addresses. Two addresses from two pools give two names, comma separated. */
  pool: `${prefix}ip-allocated-from-pool`,
  /** Written on a Service by the speaker that answers: `address=node/interface[+interface…]`, comma separated. */
  announcing: `${prefix}announcing`,
  /** Written on a death report by its speaker: the nodes that it finds dead, comma separated. */
  deadNodes: `${prefix}dead-nodes`,
} as const;

/** Annotation that makes a Node leave. A user or `bellman drain` writes it. The value is the reason, for people to read. */
export const maintenanceAnnotation = `${prefix}maintenance`;

/**
 * With `--adopt-only`, speakers announce only what an object with this key admits. For layer 2 the key is an annotation of a Service, or an
 * annotation of the ConfigMap `config` that lists pools. For BGP it is a label of a Node, so that the DaemonSet of another program can avoid
 * the node.
 */
export const takeoverKey = `${prefix}takeover`;

/** Prefixes of the annotations with which a Service requests something. MetalLB's prefixes mean the same as Bellman's. */
export const requestPrefixes = [prefix, 'metallb.universe.tf/', 'metallb.io/'] as const;

/** A node with this label announces nothing. The configuration or a flag can make the speakers ignore the label. */
export const excludeFromLoadBalancersLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';
/** Taint by which an administrator says that a node is dead. */
export const outOfServiceTaint = 'node.kubernetes.io/out-of-service';
