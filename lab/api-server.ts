import type { Host, Processes } from './processes.ts';

/**
 * The knobs by which a test causes and ends faults of an API server, and resets its counts. A fault looks the same to a client of the embedded
 * server (`apiserver/`) and to a client of Kubernetes (`kubernetes/`), but each server causes it in its own way.
 *
 * | knob | embedded | Kubernetes |
 * |---|---|---|
 * | refuse | breaks all connections until serve | kills kube-apiserver (SIGKILL) |
 * | pause | accepts connections and sends nothing until serve | suspends kube-apiserver (SIGSTOP) |
 * | forbid | breaks all watches, and answers everything with 403 until serve | deletes the role bindings of Bellman, and breaks all connections |
 * | cut-watches | breaks all open watches | breaks all connections |
 * | compact | forgets history: watches that resume get 410 Gone | compacts etcd while kube-apiserver restarts |
 * | serve | ends refuse, pause and forbid | after refuse starts kube-apiserver, after pause resumes it, after forbid applies the manifests |
 * | reset | resets the counts of requests | resets the counts of requests in the audit log |
 */
export type Knob = 'reset' | 'cut-watches' | 'compact' | 'refuse' | 'pause' | 'forbid' | 'serve';

/** A ServiceAccount of `bellman-system`. */
export type Account = 'controller' | 'speaker';

export interface ApiServer {
  readonly url: string;
  /** The path of a kubeconfig, for a user who may do everything. */
  readonly kubeconfig: string;
  /** The kubectl to use with this server: the name of a command, or a path. */
  readonly kubectl: string;
  turn(knob: Knob): Promise<void>;
  /** Counts of requests since the last reset, by `AGENT VERB RESOURCE`, such as `kubectl LIST services`. */
  requests(): Promise<ReadonlyMap<string, number>>;
  /**
   * A token of the account. If `pod` names a Pod of `bellman-system`, the token is bound to that Pod, like a token from the kubelet. It then tells
   * admission policies the node of the Pod. The embedded server has one token, and ignores `account` and `pod`.
   */
  token(account: Account, pod?: string): Promise<string>;
  /** The server's certificate, PEM. */
  readonly certificate: string;
}

export interface ApiServerOptions {
  readonly processes: Processes;
  readonly host: Host;
  /** The address at which clients reach the server. */
  readonly address: string;
  /** Further addresses for the certificate of Kubernetes. The embedded server ignores them. */
  readonly otherAddresses?: readonly string[];
  /** A free port of the host; by default, the server chooses one. */
  readonly port?: number;
  /** A folder for this server's files. */
  readonly folder: string;
  /** Flags of the embedded server's `main.ts`. Kubernetes ignores them: it always has TLS and tokens. */
  readonly embeddedFlags?: readonly string[];
  /** Whether nodes whose Leases are old count as dead. With the embedded server they never do. */
  readonly hasNodeLifecycle?: boolean;
  /** Whether controllers create the Pods of Deployments and DaemonSets. With the embedded server they never do. */
  readonly hasWorkloads?: boolean;
}
