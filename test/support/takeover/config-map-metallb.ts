/**
 * MetalLB v0.12.1, which reads a ConfigMap. The embedded API server knows no Deployments and DaemonSets, so this file plays their controllers and
 * the kubelets: when a command scales the Deployment or labels a node, it starts or stops processes of MetalLB.
 */
import { metalLb, metalLbNamespace, metalLbPodLabels, type System } from '../../../bench/rivals/system.ts';
import type { LabNode } from '../../../lab/fabric.ts';
import type { Lab } from '../../../lab/lab.ts';
import { put } from '../../../lab/put.ts';
import { paths } from '../../../src/kubernetes/write.ts';
import { type Incumbent, peer, pools } from './incumbent.ts';

const config = `peers:
- {my-asn: ${peer.ourAsn}, peer-asn: ${peer.peerAsn}, peer-address: ${peer.peerAddress}}
address-pools:
- {name: public, protocol: bgp, addresses: [${pools.public}]}
- {name: office, protocol: layer2, addresses: [${pools.office}]}
`;
const podsPath = paths.pods(metalLbNamespace);
/** The port of MetalLB's controller. In the lab, both controllers share a host, and Bellman's controller has the usual port. */
const controllerPort = 7473;

export class ConfigMapMetalLb implements Incumbent {
  readonly poolAnnotation = 'metallb.universe.tf/address-pool';

  async start(lab: Lab): Promise<void> {
    await put(lab.client, paths.namespaces, { metadata: { name: metalLbNamespace } });
    // A Pod needs the ServiceAccount `default` of its namespace. Kubernetes makes it too, but only a moment after the namespace.
    await put(lab.client, `${paths.namespaces}/${metalLbNamespace}/serviceaccounts`, {
      metadata: { name: 'default' },
    });
    await put(lab.client, `/api/v1/namespaces/${metalLbNamespace}/configmaps`, {
      metadata: { name: 'config', namespace: metalLbNamespace },
      data: { config },
    });
    await this.#setController(lab, true);
    for (const node of lab.fabric.nodes) await this.#setSpeaker(lab, node, true);
  }

  /** Bellman reads the ConfigMap unchanged. */
  convert(): Promise<string> {
    return Promise.resolve(config);
  }

  async run(lab: Lab, command: string): Promise<void> {
    const scale = /scale deployment controller --replicas=(\d)$/.exec(command);
    if (scale) return this.#setController(lab, scale[1] === '1');
    await lab.kubectl(...command.split(' ').slice(1));
    const label = /^kubectl label (?:--overwrite )?node (\S+) \S+?(-|=true)$/.exec(command);
    if (label) await this.#setSpeaker(lab, lab.node(label[1] ?? ''), label[2] === '-');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #system(lab: Lab): System {
    return metalLb(lab, { controllerPort });
  }

  async #setController(lab: Lab, runs: boolean): Promise<void> {
    if (!runs) {
      await this.#system(lab).stopController();
      await lab.client.request({ method: 'DELETE', path: `${podsPath}/controller` });
      return;
    }
    await put(lab.client, podsPath, {
      metadata: {
        name: 'controller',
        namespace: metalLbNamespace,
        labels: { ...metalLbPodLabels, component: 'controller' },
      },
      spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'controller', image: 'metallb' }] },
    });
    this.#system(lab).startController();
  }

  async #setSpeaker(lab: Lab, node: LabNode, runs: boolean): Promise<void> {
    const name = `speaker-${node.name}`;
    if (!runs) {
      await this.#system(lab).stopSpeaker(node);
      await lab.client.request({ method: 'DELETE', path: `${podsPath}/${name}` });
      return;
    }
    await put(lab.client, podsPath, {
      metadata: { name, namespace: metalLbNamespace, labels: metalLbPodLabels },
      spec: {
        nodeName: node.name,
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'speaker', image: 'metallb' }],
      },
    });
    await lab.client.request({
      method: 'PATCH',
      path: `${podsPath}/${name}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: { phase: 'Running', podIP: node.addresses[0] } },
    });
    this.#system(lab).startSpeaker(node);
  }
}
