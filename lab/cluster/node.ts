/** A node of the cluster: a host of the fabric with its own mounts and host name, a containerd and a kubelet. */
import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../../test/support/eventually.ts';
import type { LabNode } from '../fabric.ts';
import type { Kubernetes } from '../kubernetes/kubernetes.ts';
import type { Host, Processes } from '../processes.ts';
import { containerdConfig, podNetwork } from './containerd.ts';
import { type KubeletOptions, kubeletConfig } from './kubelet.ts';

const run = promisify(execFile);

export class ClusterNode implements Host {
  readonly #processes: Processes;
  readonly #host: LabNode;
  readonly #folder: string;
  readonly #group: string;
  /** The id of the process that keeps the namespaces of the node alive. */
  readonly #keeper: number;

  private constructor(processes: Processes, host: LabNode, at: NodePlace, keeper: number) {
    this.#processes = processes;
    this.#host = host;
    this.#folder = at.folder;
    this.#group = at.group;
    this.#keeper = keeper;
  }

  /** Makes the namespaces of the node. */
  static async create(processes: Processes, host: LabNode, at: NodePlace): Promise<ClusterNode> {
    mkdirSync(at.folder, { recursive: true });
    const script = join(import.meta.dirname, 'node');
    // `ip netns exec` would mount another /sys, which hides the control groups.
    const namespaces = [`--net=/run/netns/${host.name}`, 'unshare', '--mount', '--uts'];
    const keeper = processes.start(`host-${host.name}`, { spawn }, 'nsenter', [
      ...namespaces,
      ...[script, host.name, at.folder, at.group],
    ]);
    await eventually(
      `${host.name} has its mounts`,
      () => {
        if (existsSync(join(at.folder, 'ready'))) return true;
        if (!processes.isRunning(`host-${host.name}`))
          throw new Error(`${host.name} cannot be prepared: ${processes.log(`host-${host.name}`)}`);
        return false;
      },
      { deadlineMs: 60_000 },
    );
    return new ClusterNode(processes, host, at, keeper);
  }

  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    return spawn('nsenter', this.#inside(command, args), options);
  }

  /** Runs a command on the node, and resolves to its standard output. */
  async exec(command: string, ...args: readonly string[]): Promise<string> {
    return (await run('nsenter', this.#inside(command, args), { maxBuffer: 1 << 26 })).stdout;
  }

  /** Starts containerd, and gives it the images of these archives. */
  async startContainerd(archives: readonly string[]): Promise<void> {
    const config = join(this.#folder, 'containerd.toml');
    writeFileSync(config, containerdConfig(this.#folder));
    mkdirSync(join(this.#folder, 'cni'));
    writeFileSync(join(this.#folder, 'cni/pods.conflist'), JSON.stringify(podNetwork(this.#host)));
    this.#processes.start(`containerd-${this.#host.name}`, this, 'containerd', ['--config', config]);
    await eventually(`containerd of ${this.#host.name} answers`, async () => {
      await this.exec('ctr', '--connect-timeout', '2s', 'version');
      return true;
    });
    for (const archive of archives)
      await this.exec('ctr', '--namespace', 'k8s.io', 'images', 'import', archive);
  }

  /** Starts the kubelet, which registers the node. */
  startKubelet(kubernetes: Kubernetes, { dns, reportsIpv6 = true }: KubeletOptions): void {
    const { name, addresses } = this.#host;
    const reported = reportsIpv6 ? addresses : [addresses[0]];
    const config = join(this.#folder, 'kubelet.json');
    writeFileSync(config, JSON.stringify(kubeletConfig(this.#folder, this.#group, dns)));
    this.#processes.start(`kubelet-${name}`, this, kubernetes.program('kubelet'), [
      ...['--config', config, '--kubeconfig', kubernetes.kubeconfigOf(`system:node:${name}`)],
      ...['--hostname-override', name, '--node-ip', reported.join(',')],
      ...['--root-dir', join(this.#folder, 'kubelet'), '--cert-dir', join(this.#folder, 'kubelet/pki')],
    ]);
  }

  #inside(command: string, args: readonly string[]): string[] {
    return ['--target', String(this.#keeper), '--mount', '--uts', '--net', command, ...args];
  }
}

/** Where a node keeps its files and its Pods. */
export interface NodePlace {
  readonly folder: string;
  /** The path of its control group, below the root of every hierarchy. */
  readonly group: string;
}
