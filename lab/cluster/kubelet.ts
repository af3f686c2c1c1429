export interface ClusterDns {
  readonly address: string;
  readonly domain: string;
}

export interface KubeletOptions {
  /** The cluster DNS that Pods use. By default, Pods have no DNS. */
  readonly dns?: ClusterDns;
  /** Whether the node reports its IPv6 address beside its IPv4 address; true by default. */
  readonly reportsIpv6?: boolean;
}

/** The KubeletConfiguration of a node. `folder` holds the files of the node. `group` is the path of its control group. */
export function kubeletConfig(folder: string, group: string, dns: ClusterDns | undefined): object {
  // The kubelet must not evict the Pods of a test when the disk is full or memory is short.
  const never = { 'memory.available': '0%', 'nodefs.available': '0%', 'nodefs.inodesFree': '0%' };
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${group}`,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    evictionHard: { ...never, 'imagefs.available': '0%' },
    imageGCHighThresholdPercent: 100,
    volumePluginDir: `${folder}/volume-plugins`,
    // The lab has no DNS outside the cluster.
    resolvConf: '',
    ...(dns && { clusterDNS: [dns.address], clusterDomain: dns.domain }),
  };
}
