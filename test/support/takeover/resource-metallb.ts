/**
 * MetalLB v0.16, which reads custom resources, in a lab with Kubernetes itself. It is installed from its own manifests, but without the webhooks,
 * because the API server of the lab does not reach Services. Its Deployment and its DaemonSet get their Pods from Kubernetes, so the commands of
 * `bellman takeover status` have their real effect.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { load, loadAll } from 'js-yaml';
import { metalLbNamespace } from '../../../bench/rivals/system.ts';
import { addresses } from '../../../lab/fabric.ts';
import { kubeconfigPath, type Lab } from '../../../lab/lab.ts';
import { type MetalLbPrograms, metalLbPrograms } from '../../../lab/metallb/programs.ts';
import { bellman } from '../../../lab/program.ts';
import { type Incumbent, peer, pools } from './incumbent.ts';
import { type PodProcess, PodRunner, type RunnerPod } from './pod-runner.ts';

/** The newest version for which the Go module proxy has all modules. */
export const resourceMetalLb = metalLbPrograms('v0.16.1');

const secretFolder = '/run/lab/metallb';
const metadata = (name: string) => ({ name, namespace: metalLbNamespace });
const resources = [
  {
    apiVersion: 'metallb.io/v1beta1',
    kind: 'IPAddressPool',
    metadata: metadata('public'),
    spec: { addresses: [pools.public] },
  },
  {
    apiVersion: 'metallb.io/v1beta1',
    kind: 'IPAddressPool',
    metadata: metadata('office'),
    spec: { addresses: [pools.office] },
  },
  {
    apiVersion: 'metallb.io/v1beta2',
    kind: 'BGPPeer',
    metadata: metadata('router'),
    spec: { myASN: peer.ourAsn, peerASN: peer.peerAsn, peerAddress: peer.peerAddress },
  },
  {
    apiVersion: 'metallb.io/v1beta1',
    kind: 'BGPAdvertisement',
    metadata: metadata('public'),
    spec: { ipAddressPools: ['public'] },
  },
  {
    apiVersion: 'metallb.io/v1beta1',
    kind: 'L2Advertisement',
    metadata: metadata('office'),
    spec: { ipAddressPools: ['office'] },
  },
];

interface Manifest {
  readonly kind: string;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** The objects of MetalLB's manifest without its webhooks. */
function manifestsOf({ manifests }: MetalLbPrograms): Manifest[] {
  const text = readFileSync(join(manifests, 'manifests/metallb-native.yaml'), 'utf8');
  return (loadAll(text) as (Manifest | null)[]).flatMap((object) => {
    if (!object || object.kind === 'ValidatingWebhookConfiguration') return [];
    if (object.kind !== 'CustomResourceDefinition') return [object];
    const { conversion, ...spec } = object.spec ?? {};
    return [{ ...object, spec }];
  });
}

export class ResourceMetalLb implements Incumbent {
  readonly poolAnnotation = 'metallb.io/address-pool';
  #runner: PodRunner | undefined;

  async start(lab: Lab): Promise<void> {
    await lab.kubectl('label', 'nodes', '--all', 'kubernetes.io/os=linux');
    this.#runner = new PodRunner(lab, metalLbNamespace, (pod) => this.#processOf(lab, pod));
    this.#runner.start();
    await lab.apply(...manifestsOf(resourceMetalLb));
    await lab.until('the API server has the custom resources', () =>
      lab.apply(...resources).then(() => true),
    );
  }

  /** Runs the command that the guide gives. The command fails when an address in use lies in no pool. */
  async convert(lab: Lab): Promise<string> {
    const args = ['convert', '--from', 'metallb', '--kubeconfig', kubeconfigPath];
    const text = await lab.fabric.control.exec(bellman, ...args);
    const { data } = load(text) as { data: { config: string } };
    return data.config;
  }

  /** Runs the command. Kubernetes and the `PodRunner` do the rest. */
  async run(lab: Lab, command: string): Promise<void> {
    await lab.kubectl(...wordsOf(command).slice(1));
    // With this strategy, the DaemonSet replaces the Pods of an older template.
    if (command.includes('"RollingUpdate"'))
      await lab.kubectl('-n', metalLbNamespace, 'rollout', 'status', 'daemonset/speaker');
  }

  async close(): Promise<void> {
    await this.#runner?.close();
  }

  #processOf(lab: Lab, { metadata: { name, labels }, spec }: RunnerPod): PodProcess {
    const isSpeaker = labels.component === 'speaker';
    const node = isSpeaker ? lab.node(spec.nodeName ?? '') : undefined;
    const ips = node ? [node.addresses[0]] : [addresses.control];
    const process = `metallb-${name}`;
    const flags = ['--log-level=info', `--kubeconfig=${kubeconfigPath}`];
    const environment = {
      ...lab.podEnvironment,
      METALLB_NAMESPACE: metalLbNamespace,
      METALLB_POD_NAME: name,
    };
    return {
      name: process,
      ips,
      start: async () => {
        if (!node) {
          lab.processes.start(
            process,
            lab.fabric.control,
            resourceMetalLb.controller,
            [...flags, '--webhook-mode=disabled', '--disable-cert-rotation'],
            { ...environment, METALLB_DEPLOYMENT: 'controller', METALLB_ML_SECRET_NAME: 'memberlist' },
          );
          return;
        }
        await mountSecret(lab);
        lab.processes.start(process, node.namespace, resourceMetalLb.speaker, flags, {
          ...environment,
          METALLB_NODE_NAME: node.name,
          METALLB_HOST: node.addresses[0],
          METALLB_ML_BIND_ADDR: node.addresses[0],
          METALLB_ML_LABELS: 'app=metallb,component=speaker',
          METALLB_ML_SECRET_KEY_PATH: secretFolder,
        });
      },
    };
  }
}

/** Writes the key that MetalLB's controller has made, as the kubelet mounts it. Rejects while the Secret does not exist. */
async function mountSecret(lab: Lab): Promise<void> {
  const { data } = await lab.client.request<{ data: Readonly<Record<string, string>> }>({
    method: 'GET',
    path: `/api/v1/namespaces/${metalLbNamespace}/secrets/memberlist`,
  });
  mkdirSync(secretFolder, { recursive: true });
  for (const [key, value] of Object.entries(data))
    writeFileSync(join(secretFolder, key), Buffer.from(value, 'base64'));
}

/** The words of a command, as a shell reads them. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}
