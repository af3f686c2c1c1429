/** The configurations of Debian's containerd 1.6 and of the network of Pods. */
import type { LabNode } from '../fabric.ts';
import { pauseImage } from './pause-image.ts';

/** The text of `config.toml`. `folder` holds the files of the node. */
export function containerdConfig(folder: string): string {
  return `version = 2
root = "${folder}/containerd"
state = "/run/containerd"

[plugins."io.containerd.internal.v1.opt"]
  path = "${folder}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  disable_apparmor = true
  # The lab itself may run in a container without CAP_SYS_RESOURCE, which a process needs to lower an OOM score.
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/cni"
`;
}

/** The network of a node's Pods: the bridge that the fabric has made, and addresses of the node's two Pod networks. */
export function podNetwork({ index }: LabNode): object {
  return {
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [
      {
        type: 'bridge',
        bridge: 'pods',
        isGateway: true,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          ranges: [[{ subnet: `10.244.${index}.0/24` }], [{ subnet: `fd00:244:${index}::/64` }]],
          routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
        },
      },
    ],
  };
}
