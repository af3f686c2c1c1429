export interface KubeconfigOptions {
  readonly url: string;
  /** The server's certificate, PEM. */
  readonly certificate?: string;
  readonly token?: string;
}

/** The text of a kubeconfig file with one cluster, user and context. It is JSON, which is valid YAML. */
export function kubeconfigText({ url, certificate, token }: KubeconfigOptions): string {
  const trust =
    certificate === undefined
      ? // @kubernetes/client-node refuses plain HTTP without this flag.
        { 'insecure-skip-tls-verify': true }
      : { 'certificate-authority-data': Buffer.from(certificate).toString('base64') };
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'lab', cluster: { server: url, ...trust } }],
    users: [{ name: 'lab', user: token === undefined ? {} : { token } }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
    'current-context': 'lab',
  };
  return JSON.stringify(kubeconfig, null, 2);
}

interface Kubeconfig {
  readonly clusters: readonly [
    {
      readonly cluster: { readonly server: string; readonly 'certificate-authority-data'?: string };
    },
  ];
  readonly users: readonly [{ readonly user: { readonly token?: string } }];
}

/** The options that {@link kubeconfigText} was given. */
export function parseKubeconfig(text: string): KubeconfigOptions {
  const {
    clusters: [{ cluster }],
    users: [{ user }],
  } = JSON.parse(text) as Kubeconfig;
  const { server: url, 'certificate-authority-data': data } = cluster;
  return {
    url,
    ...(data === undefined ? {} : { certificate: Buffer.from(data, 'base64').toString() }),
    ...(user.token === undefined ? {} : { token: user.token }),
  };
}
