/**
 * A real control plane as processes of a lab or a test: etcd, kube-apiserver with RBAC, admission and an audit log, and
 * kube-controller-manager. Nothing here needs root.
 *
 * Without kubelets, this class applies the manifests of this project as they are, and the lab itself starts the processes of Bellman. Only
 * the {@link basicControllers} run then. The node-lifecycle controller would mark the lab's nodes as Unknown, and the controllers of Deployments and
 * DaemonSets would make Pods that no kubelet runs. A lab can still ask for these controllers (`hasNodeLifecycle`, `hasWorkloads`). With kubelets
 * (see `lab/cluster/`), all controllers run, and a kube-scheduler too.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { KubernetesClient } from '../../src/kubernetes/client.ts';
import { eventually } from '../../test/support/eventually.ts';
import { freePort } from '../../test/support/free-port.ts';
import type { Account, ApiServer, ApiServerOptions, Knob } from '../api-server.ts';
import { labClient } from '../client.ts';
import type { Host } from '../processes.ts';
import { type AuditEvent, AuditLog, isFirstOfRequest, resourceOf } from './audit-log.ts';
import { Credentials, type User } from './credentials.ts';

const run = promisify(execFile);
const manifests = fileURLToPath(new URL('../../manifests/', import.meta.url));
/** A folder outside the world for the audit logs, so that `audit-report.ts` can judge them. By default, the logs disappear with the world. */
const { BELLMAN_AUDIT: auditFolder } = process.env;

/** The networks of Services. The embedded API server and the tutorial use addresses of the same networks. */
const serviceNetworks = '10.96.0.0/16,fd00:96::/112';
const firstServiceIp = '10.96.0.1';
const allPrograms = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-proxy', 'kubectl'];
const clusterPrograms = ['kube-scheduler', 'kubelet'];

/** With the default of 100, Go collects garbage whenever the heap has doubled. While a server starts, that takes a fifth of its CPU time. */
const goEnvironment = { GOGC: process.env.GOGC ?? '400' } as const;
/**
 * The controllers that Services, Namespaces and ServiceAccounts need. Each further controller costs CPU time, because it watches more kinds of
 * objects.
 */
const basicControllers = [
  'serviceaccount-controller',
  'root-ca-certificate-publisher-controller',
  'namespace-controller',
  'garbage-collector-controller',
  'endpointslice-controller',
  'service-cidr-controller',
];

/** The names by which {@link Kubernetes.requests} counts these verbs of the audit log. It counts any other verb by its own name in capitals. */
const countedVerbs: Readonly<Record<string, string>> = {
  create: 'POST',
  update: 'PUT',
  deletecollection: 'DELETE',
};

export interface KubernetesOptions extends ApiServerOptions {
  /** The folder of the programs. */
  readonly programs: string;
  /** The names of the nodes that have a kubelet; by default, no node has one. */
  readonly kubelets?: readonly string[];
}

/** One kube-apiserver. */
interface Server {
  /** The name of its process. */
  readonly name: string;
  readonly host: Host;
  readonly address: string;
  readonly auditPath: string;
}

export class Kubernetes implements ApiServer {
  readonly url: string;
  readonly kubectl: string;
  readonly #options: KubernetesOptions & { readonly port: number };
  readonly #ports: { readonly etcd: number; readonly etcdPeer: number };
  readonly #folder: string;
  readonly #credentials: Credentials;
  readonly #auditPath: string;
  readonly #audit: AuditLog;
  /** The logs of all servers, for {@link auditEvents}. `#audit` reads the log of the first server a second time, to count requests. */
  readonly #history: AuditLog[] = [];
  readonly #events: AuditEvent[] = [];
  readonly #requests = new Map<string, number>();
  #isPaused = false;
  #isForbidding = false;
  #client: KubernetesClient | undefined;

  private constructor(
    options: KubernetesOptions & { readonly port: number },
    ports: { readonly etcd: number; readonly etcdPeer: number },
  ) {
    const { address, otherAddresses = [], port, folder, programs, kubelets = [] } = options;
    this.#options = options;
    this.#ports = ports;
    this.#folder = join(folder, 'kubernetes');
    this.url = `https://${address}:${port}`;
    this.kubectl = join(programs, 'kubectl');
    const certified = [address, ...otherAddresses, firstServiceIp, '127.0.0.1'];
    this.#credentials = new Credentials(this.#folder, certified, kubelets);
    this.#auditPath = this.#newAuditLog();
    this.#audit = new AuditLog(this.#auditPath);
  }

  #newAuditLog(): string {
    const folder = auditFolder ?? this.#folder;
    const name = `${basename(process.argv[1] ?? 'lab')}-${randomUUID().slice(0, 8)}.audit.jsonl`;
    const path = join(folder, name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, '');
    this.#history.push(new AuditLog(path));
    return path;
  }

  static async start(options: KubernetesOptions): Promise<Kubernetes> {
    const { programs, port = await freePort(), kubelets = [] } = options;
    const needed = kubelets.length > 0 ? [...allPrograms, ...clusterPrograms] : allPrograms;
    const missing = needed.filter((name) => !existsSync(join(programs, name)));
    if (missing.length > 0)
      throw new Error(
        `BELLMAN_KUBERNETES: ${programs} lacks ${missing.join(', ')}; set the variable to the folder that lab/kubernetes/build.sh prints`,
      );
    const ports = { etcd: await freePort(), etcdPeer: await freePort() };
    const kubernetes = new Kubernetes({ ...options, port }, ports);
    await kubernetes.#start();
    return kubernetes;
  }

  async #start(): Promise<void> {
    const hasKubelets = (this.#options.kubelets ?? []).length > 0;
    const { hasNodeLifecycle = hasKubelets, hasWorkloads = hasKubelets } = this.#options;
    this.#startEtcd();
    await this.#startServer();
    this.#startProgram('kube-controller-manager', [
      ...['--kubeconfig', this.kubeconfigOf('system:kube-controller-manager')],
      ...['--service-account-private-key-file', this.#credentials.path('accounts.key')],
      ...['--root-ca-file', this.#credentials.path('api.crt')],
      ...['--use-service-account-credentials=true', '--leader-elect=false', '--secure-port=0'],
      `--controllers=${controllers(hasWorkloads, hasNodeLifecycle)}`,
      // Without this flag, the program makes a folder in /usr/libexec of the host when root runs it.
      ...['--flex-volume-plugin-dir', join(this.#folder, 'volume-plugins')],
    ]);
    if (hasKubelets)
      this.#startProgram('kube-scheduler', [
        ...['--kubeconfig', this.kubeconfigOf('system:kube-scheduler')],
        ...['--leader-elect=false', '--secure-port=0'],
      ]);
    else await this.#applyManifests();
    this.#client = labClient(this.kubeconfig, 'lab');
    // A Pod needs the ServiceAccount `default` of its namespace, which the controller-manager makes.
    for (const namespace of hasKubelets ? ['default'] : ['default', 'bellman-system'])
      await this.#until(`the ServiceAccount default of ${namespace}`, async () => {
        await this.#client?.request({
          method: 'GET',
          path: `/api/v1/namespaces/${namespace}/serviceaccounts/default`,
        });
        return true;
      });
  }

  get certificate(): string {
    return this.#credentials.certificate;
  }

  get kubeconfig(): string {
    return this.kubeconfigOf('admin');
  }

  /** The path of a kubeconfig for a user of the control plane. */
  kubeconfigOf(user: User): string {
    return this.#credentials.kubeconfig(user, this.url);
  }

  /** The path of one of the programs. */
  program(name: string): string {
    return join(this.#options.programs, name);
  }

  async turn(knob: Knob): Promise<void> {
    this.#note(knob);
    switch (knob) {
      case 'reset':
        this.#countRequests();
        return this.#requests.clear();
      case 'refuse':
        return this.#stopServer();
      case 'pause':
        this.#options.processes.signal('kube-apiserver', 'SIGSTOP');
        this.#isPaused = true;
        return;
      case 'forbid':
        return this.#forbid();
      case 'cut-watches':
        return this.#breakConnections();
      case 'compact':
        return this.#compact();
      case 'serve':
        return this.#serve();
    }
  }

  requests(): Promise<ReadonlyMap<string, number>> {
    this.#countRequests();
    return Promise.resolve(new Map(this.#requests));
  }

  /** All events in the logs of all servers so far. The events of one server are in the order of its log. */
  auditEvents(): readonly AuditEvent[] {
    for (const log of this.#history) this.#events.push(...log.read());
    return this.#events;
  }

  /** Like {@link token}, but the token lives for `lifeSeconds`. */
  async tokenFor(lifeSeconds: number, account: Account, pod?: string): Promise<string> {
    return this.#credentials.reissued(await this.token(account, pod), lifeSeconds);
  }

  /**
   * Starts a further kube-apiserver on another host, with the same etcd and the same files. That host must be able to reach the address of the
   * first server. Resolves once the new server is ready. `name` is the name of its process.
   */
  async addServer(name: string, host: Host, address: string): Promise<void> {
    await this.#startServer({ name, host, address, auditPath: this.#newAuditLog() });
  }

  async token(account: Account, pod?: string): Promise<string> {
    const client = this.#client;
    if (!client) throw new Error('the API server has not started');
    const namespace = '/api/v1/namespaces/bellman-system';
    const bound = async (name: string) => {
      const { metadata } = await client.request<{ metadata: { uid: string } }>({
        method: 'GET',
        path: `${namespace}/pods/${name}`,
      });
      return { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid: metadata.uid } };
    };
    const { status } = await client.request<{ status: { token: string } }>({
      method: 'POST',
      path: `${namespace}/serviceaccounts/${account}/token`,
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: 7200, ...(pod === undefined ? {} : await bound(pod)) },
      },
    });
    return status.token;
  }

  /**
   * A test calls this before it makes the server refuse requests of Bellman by other means than a knob. `audit-report.ts` then excuses refusals
   * until 20 s after the test has called {@link expectGrants}.
   */
  expectRefusals(): void {
    this.#note('forbid');
  }

  /** Undoes {@link expectRefusals}. */
  expectGrants(): void {
    this.#note('ready');
  }

  /**
   * A test calls this before a node that was cut off reaches the server again. A request that the node has given up may then still reach the
   * server. The server answers 401 to it if the node closes the connection before the server has checked the token. `audit-report.ts` excuses
   * such answers.
   */
  expectReturn(): void {
    this.#note('return');
  }

  #startEtcd(): void {
    const { etcd, etcdPeer } = this.#ports;
    const [client, peer] = [`http://127.0.0.1:${etcd}`, `http://127.0.0.1:${etcdPeer}`];
    // A further API server, on another host, reaches etcd at this host's address.
    const clients = [...new Set([client, `http://${this.#options.address}:${etcd}`])].join(',');
    this.#startProgram('etcd', [
      ...['--data-dir', join(this.#folder, 'etcd'), '--unsafe-no-fsync', '--log-level', 'warn'],
      ...['--listen-client-urls', clients, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', `default=${peer}`],
    ]);
  }

  /** Resolves once the server is ready. The standard roles exist by then. */
  async #startServer(server: Server = this.#firstServer()): Promise<void> {
    const { processes, port } = this.#options;
    const { name, host, address, auditPath } = server;
    const file = this.#credentials.path.bind(this.#credentials);
    this.#note('start', auditPath);
    const etcdAddress = host === this.#options.host ? '127.0.0.1' : this.#options.address;
    processes.start(
      name,
      host,
      this.program('kube-apiserver'),
      [
        ...['--etcd-servers', `http://${etcdAddress}:${this.#ports.etcd}`],
        ...advertisement(address),
        ...['--bind-address', '0.0.0.0', '--secure-port', String(port)],
        ...['--tls-cert-file', file('api.crt'), '--tls-private-key-file', file('api.key')],
        ...['--service-cluster-ip-range', serviceNetworks],
        ...['--service-account-issuer', 'https://kubernetes.default.svc'],
        ...['--service-account-key-file', file('accounts.pub')],
        ...['--service-account-signing-key-file', file('accounts.key')],
        ...['--authorization-mode', 'Node,RBAC', '--token-auth-file', file('tokens.csv')],
        '--allow-privileged=true',
        // `kubectl exec` and `kubectl logs` go through the kubelet. No DNS knows the names of the nodes.
        '--kubelet-preferred-address-types=InternalIP',
        ...['--audit-policy-file', join(import.meta.dirname, 'audit-policy.yaml')],
        ...['--audit-log-path', auditPath],
        // By default, the server moves the log away at 100 MB, and the report would not see the moved part.
        ...['--audit-log-maxsize', '100000'],
      ],
      goEnvironment,
    );
    await this.#until(`${name} is ready`, async () => {
      // When the server has ended, the wait ends too, and the check after it throws. After an error in here, the wait would go on.
      if (!processes.isRunning(name)) return true;
      const { stdout } = await run('curl', ['-sk', '--max-time', '2', `https://${address}:${port}/readyz`]);
      return stdout === 'ok';
    });
    if (!processes.isRunning(name)) throw new Error(`${name} has ended\n${processes.lastLines(15)}`);
    this.#note('ready', auditPath);
  }

  #firstServer(): Server {
    const { host, address } = this.#options;
    return { name: 'kube-apiserver', host, address, auditPath: this.#auditPath };
  }

  async #stopServer(): Promise<void> {
    this.#isPaused = false;
    const { processes } = this.#options;
    if (processes.isRunning('kube-apiserver')) await processes.stop('kube-apiserver', 'SIGKILL');
  }

  async #serve(): Promise<void> {
    if (this.#isPaused) this.#options.processes.signal('kube-apiserver', 'SIGCONT');
    this.#isPaused = false;
    if (!this.#options.processes.isRunning('kube-apiserver')) await this.#startServer();
    if (!this.#isForbidding) return;
    await this.#applyManifests();
    this.#isForbidding = false;
    this.#note('ready');
  }

  async #applyManifests(): Promise<void> {
    await this.#kubectl('apply', '-k', manifests);
  }

  async #forbid(): Promise<void> {
    this.#isForbidding = true;
    const ours = ['--all-namespaces', '--selector', 'app.kubernetes.io/name=bellman'];
    await this.#kubectl('delete', 'clusterrolebindings,rolebindings', ...ours);
    // An open watch goes on after its right has been removed.
    await this.#breakConnections();
  }

  async #breakConnections(): Promise<void> {
    await this.#onHost('ss', '--kill', '--tcp', 'sport', '=', `:${this.#options.port}`);
  }

  /** Restarts the server, because otherwise it would serve resumed watches from its own memory. */
  async #compact(): Promise<void> {
    await this.#stopServer();
    const ask = async (path: string, body: object) =>
      JSON.parse(
        await this.#onHost(
          ...['curl', '-sSf', '--data', JSON.stringify(body)],
          `http://127.0.0.1:${this.#ports.etcd}/v3/kv/${path}`,
        ),
      ) as { readonly header: { readonly revision: string } };
    const { header } = await ask('range', { key: Buffer.from('/').toString('base64') });
    await ask('compaction', { revision: header.revision, physical: true });
    await this.#startServer();
  }

  #countRequests(): void {
    for (const event of this.#audit.read()) {
      const resource = resourceOf(event);
      if (resource === undefined || !isFirstOfRequest(event)) continue;
      const [agent = ''] = (event.userAgent ?? '').split('/');
      const verb = countedVerbs[event.verb] ?? event.verb.toUpperCase();
      const key = `${agent} ${verb} ${resource}`;
      this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    }
  }

  /** Writes into a file beside the audit log what a test does to the server. `audit-report.ts` judges refused requests by this file. */
  #note(what: Knob | 'start' | 'ready' | 'return', auditPath = this.#auditPath): void {
    const line = JSON.stringify({ at: new Date().toISOString(), what });
    appendFileSync(auditPath.replace(/\.audit\.jsonl$/, '.faults.jsonl'), `${line}\n`);
  }

  #startProgram(program: string, flags: readonly string[]): void {
    const { processes, host } = this.#options;
    processes.start(program, host, this.program(program), flags, goEnvironment);
  }

  async #kubectl(...args: readonly string[]): Promise<void> {
    const flags = ['--kubeconfig', this.kubeconfig, '--cache-dir', join(this.#folder, 'kube-cache')];
    await run(this.kubectl, [...flags, ...args], { env: { ...process.env, HOME: this.#folder } });
  }

  /** Runs a command on the server's host. Resolves to its standard output. */
  #onHost(command: string, ...args: readonly string[]): Promise<string> {
    const child = this.#options.host.spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, errors] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      errors += chunk;
    });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) =>
        code === 0 ? resolve(output) : reject(new Error(`${command} failed: ${errors}`)),
      );
    });
  }

  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    await eventually(what, holds, { explain: () => `\n${this.#options.processes.lastLines(15)}` });
  }
}

function controllers(hasWorkloads: boolean, hasNodeLifecycle: boolean): string {
  const nodeLifecycle = 'node-lifecycle-controller';
  if (hasWorkloads) return hasNodeLifecycle ? '*' : `*,-${nodeLifecycle}`;
  return [...basicControllers, ...(hasNodeLifecycle ? [nodeLifecycle] : [])].join(',');
}

/**
 * kube-apiserver makes its address an endpoint of the Service `kubernetes`, and refuses a loopback address for that. A server on a loopback
 * address therefore gets another address to advertise, and makes no endpoint.
 */
function advertisement(address: string): readonly string[] {
  return address.startsWith('127.')
    ? ['--advertise-address', '192.0.2.1', '--endpoint-reconciler-type', 'none']
    : ['--advertise-address', address];
}
