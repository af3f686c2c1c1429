import { addresses, type Fabric } from '../fabric.ts';
import { NetworkNamespace, plug } from '../netns.ts';
import type { Processes } from '../processes.ts';
import type { Kubernetes } from './kubernetes.ts';

const processName = 'kube-apiserver-2';
const hostName = 'control-2';

/**
 * A second kube-apiserver with the same etcd, on a host of its own. A virtual address leads to one of the two hosts. Programs such as
 * keepalived and kube-vip move such an address in real clusters. The lab moves it itself.
 */
export class SecondServer {
  readonly #processes: Processes;
  readonly #fabric: Fabric;
  readonly #host: NetworkNamespace;

  private constructor(processes: Processes, fabric: Fabric, host: NetworkNamespace) {
    this.#processes = processes;
    this.#fabric = fabric;
    this.#host = host;
  }

  /** Resolves once the server is ready and has the virtual address. */
  static async start(kubernetes: Kubernetes, processes: Processes, fabric: Fabric): Promise<SecondServer> {
    const namespace = await NetworkNamespace.create(hostName);
    const own = [`${addresses.secondControl}/24`];
    await plug({ namespace, interface: 'mgmt0', addresses: own }, fabric.control, 'mgmt', hostName);
    // The server enters its address into the Service `kubernetes`, and refuses to start on a host without a default route.
    await namespace.ip('route', 'add', 'default', 'via', addresses.control);
    await kubernetes.addServer(processName, namespace, addresses.secondControl);
    await take(namespace, 'mgmt0');
    return new SecondServer(processes, fabric, namespace);
  }

  /** Kills the server and moves the virtual address to the first server. The host of the killed server resets the connections of its clients. */
  async kill(): Promise<void> {
    await this.#processes.stop(processName, 'SIGKILL');
    await this.#host.ip('address', 'del', `${addresses.virtualControl}/32`, 'dev', 'mgmt0');
    await take(this.#fabric.control, 'mgmt');
  }

  /** Pulls the host's cable and moves the virtual address to the first server. No client learns that its connections are gone. */
  async unplug(): Promise<void> {
    await this.#fabric.control.ip('link', 'set', hostName, 'down');
    await take(this.#fabric.control, 'mgmt');
  }

  /** Undoes {@link unplug}: the host has its cable and the virtual address again. */
  async plug(): Promise<void> {
    await this.#fabric.control.ip('address', 'del', `${addresses.virtualControl}/32`, 'dev', 'mgmt');
    await this.#fabric.control.ip('link', 'set', hostName, 'up');
    await announce(this.#host, 'mgmt0');
  }
}

/** Gives the virtual address to a host. */
async function take(host: NetworkNamespace, link: string): Promise<void> {
  await host.ip('address', 'add', `${addresses.virtualControl}/32`, 'dev', link);
  await announce(host, link);
}

/** Tells the network by gratuitous ARP replies which host has the virtual address. */
async function announce(host: NetworkNamespace, link: string): Promise<void> {
  await host.exec('arping', '-q', '-A', '-c', '2', '-I', link, addresses.virtualControl);
}
